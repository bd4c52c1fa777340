// Loads the program. A file of its own, so that it can report an error if the program cannot be loaded.
try {
  await import('./main.ts');
} catch (error) {
  const { code } = error as NodeJS.ErrnoException;
  if (code !== 'EMFILE' && code !== 'ENFILE') throw error;
  console.error('Too few file descriptors are available: raise the limit of open files (`ulimit -n`).');
  process.exitCode = 1;
}
