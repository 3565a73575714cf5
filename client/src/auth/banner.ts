import { type CSSProperties, createElement, type ReactElement } from 'react';
import { type Trouble, useAuthContext } from './context.js';

export interface BannerText extends Record<Trouble, string> {
  logIn: string;
  reload: string;
  tryAgain: string;
}

const english: BannerText = {
  expired: 'Your session has ended.',
  failing: 'Your session can’t be renewed. We keep trying.',
  signedOut: 'You have signed out in another tab.',
  offline: 'You are offline.',
  logIn: 'Log in',
  reload: 'Reload',
  tryAgain: 'Try again',
};

const bar: CSSProperties = {
  display: 'flex',
  flexWrap: 'wrap',
  alignItems: 'center',
  gap: '.5em 1em',
  padding: '.75em 1em',
};
// White on red 7.6 : 1, near-black on yellow 13 : 1.
const red: CSSProperties = { ...bar, background: '#a4161a', color: '#fff' };
const yellow: CSSProperties = { ...bar, background: '#ffd84d', color: '#1b1b1b' };
const button: CSSProperties = {
  font: 'inherit',
  color: 'inherit',
  background: 'none',
  border: '1px solid',
  borderRadius: 4,
  padding: '.35em .9em',
  cursor: 'pointer',
};

/** Tells what is wrong with the session or the network, and what can be done. Nothing while all is well. */
export function GlobalAuthBanner({ messages }: { messages?: Partial<BannerText> }): ReactElement | null {
  const { auth, trouble, tryAgain } = useAuthContext();
  if (!trouble) return null;
  const text = { ...english, ...messages };
  const reload = () => location.reload();
  const logIn = () => (auth.loginUrl === undefined ? reload() : location.assign(auth.loginUrl));
  const action = (label: string, onClick: () => void) =>
    createElement('button', { type: 'button', key: label, style: button, onClick }, label);
  const offline = trouble === 'offline';
  return createElement(
    'div',
    { role: 'alert', className: `bellhop-banner bellhop-${trouble}`, style: offline ? yellow : red },
    createElement('span', null, text[trouble]),
    offline ? action(text.tryAgain, tryAgain) : [action(text.logIn, logIn), action(text.reload, reload)],
  );
}
