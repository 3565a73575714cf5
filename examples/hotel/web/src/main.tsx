// Puts the page together.
import { QueryClientProvider } from '@tanstack/react-query';
import { AuthProvider, Layout, useAuth } from 'bellhop-client/auth';
import { StrictMode, useEffect } from 'react';
import { createRoot } from 'react-dom/client';
import { Board } from './board';
import { Door } from './door';
import { go, usePath } from './place';
import { client, queries } from './realtime';
import { auth } from './session';
import './style.css';

function App() {
  const { state } = useAuth();
  const path = usePath();
  // A session that has ended by itself leaves the board where it is, with a banner that leads to the door.
  const outside = state === 'anonymous' || state === 'loggedOut' || (state === 'expired' && path === '/');
  useEffect(() => {
    if (outside) go('/');
    else if (path === '/') go('/tasks');
  }, [outside, path]);
  return outside ? <Door /> : <Layout><Board /></Layout>;
}

const root = document.getElementById('root');
if (!root) throw new Error('index.html has no #root');
createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <AuthProvider auth={auth} queryClient={queries} realtime={client}>
        <App />
      </AuthProvider>
    </QueryClientProvider>
  </StrictMode>,
);
