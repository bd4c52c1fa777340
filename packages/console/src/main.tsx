import { createRoot } from 'react-dom/client';
import { App } from './app.tsx';
import { applyTheme } from './theme.ts';

const host = document.getElementById('console');
if (!host) throw new Error('the page has no #console');
applyTheme();
createRoot(host).render(<App />);
