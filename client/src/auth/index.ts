export { type BannerText, GlobalAuthBanner } from './banner.js';
export type { Trouble } from './context.js';
export * from './core.js';
export { Layout } from './layout.js';
export { AuthProvider, type AuthProviderProps, useAuth } from './provider.js';
