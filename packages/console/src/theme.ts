import { useSyncExternalStore } from 'react';

export type Theme = 'auto' | 'light' | 'dark';

const key = 'fanfare-theme';
const changed = 'fanfare-theme-changed';

export function applyTheme(theme: Theme = storedTheme()): void {
  const root = document.documentElement;
  if (theme === 'auto') delete root.dataset['theme'];
  else root.dataset['theme'] = theme;
}

/** The chosen theme, and a function that chooses another. */
export function useTheme(): [Theme, (theme: Theme) => void] {
  const theme = useSyncExternalStore(onThemeChange, storedTheme);
  return [theme, chooseTheme];
}

/** The shade that the page shows: light or dark. */
export function useShade(): 'light' | 'dark' {
  return useSyncExternalStore(onThemeChange, () => {
    const theme = storedTheme();
    return theme === 'auto' ? (prefersDark().matches ? 'dark' : 'light') : theme;
  });
}

function chooseTheme(theme: Theme): void {
  localStorage.setItem(key, theme);
  applyTheme(theme);
  window.dispatchEvent(new Event(changed));
}

function storedTheme(): Theme {
  const stored = localStorage.getItem(key);
  return stored === 'light' || stored === 'dark' ? stored : 'auto';
}

function prefersDark(): MediaQueryList {
  return window.matchMedia('(prefers-color-scheme: dark)');
}

function onThemeChange(listener: () => void): () => void {
  const media = prefersDark();
  media.addEventListener('change', listener);
  window.addEventListener(changed, listener);
  return () => {
    media.removeEventListener('change', listener);
    window.removeEventListener(changed, listener);
  };
}
