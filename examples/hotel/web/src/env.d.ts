interface ImportMetaEnv {
  // The origin of backend and Bellhop, where it isn't the page's own.
  readonly VITE_API_URL?: string;
}
