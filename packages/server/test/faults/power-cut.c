/*
 * A disk that keeps only what was synced, for LD_PRELOAD.
 *
 * Every file under POWER_CUT_DATA has a shadow of the same name under POWER_CUT_SHADOW. Writes go to the file as
 * usual, and their places are recorded; fsync and fdatasync of a file copy the data written since the last sync into
 * its shadow. Writes to a descriptor opened with O_SYNC or O_DSYNC are in the shadow at once. So the shadow always has
 * the content that a disk may have after a power cut.
 *
 * A disk may also write early, and in any order: with POWER_CUT_EARLY=<seed>, half of the writes, chosen by the
 * seed, are in the shadow at once. And a disk may lie: with POWER_CUT_LIE=1, a sync copies nothing.
 *
 * Writes to a shared writable mapping cannot be intercepted, so such a mapping is noted in the shadow's file
 * `mapped`. LMDB's lock file is one, but has no meaning after a restart, and is ignored.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define DESCRIPTORS 65536

/* Where a file was written to since it was synced. */
struct change {
  struct change *next;
  off_t offset;
  size_t length;
};

struct file {
  struct file *next;
  dev_t device;
  ino_t inode;
  int source, shadow;
  struct change *changes, **last;
  /* The length it was cut to, or -1. */
  off_t cut;
};

static struct {
  struct file *file;
  int is_synchronous, is_appending;
} descriptors[DESCRIPTORS];

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct file *files;
static char data[PATH_MAX], shadow[PATH_MAX];
static int is_lying;
static unsigned long long early;

#define REAL(name) \
  static __typeof__(&name) real; \
  if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static int real_open(const char *path, int flags, mode_t mode) {
  REAL(open);
  return real(path, flags, mode);
}

static ssize_t real_pwrite(int fd, const void *bytes, size_t length, off_t offset) {
  REAL(pwrite);
  return real(fd, bytes, length, offset);
}

static int real_ftruncate(int fd, off_t length) {
  REAL(ftruncate);
  return real(fd, length);
}

__attribute__((constructor)) static void begin(void) {
  const char *from = getenv("POWER_CUT_DATA"), *to = getenv("POWER_CUT_SHADOW");
  if (!from || !to || !realpath(from, data) || !realpath(to, shadow)) {
    fprintf(stderr, "power-cut: POWER_CUT_DATA and POWER_CUT_SHADOW must be directories\n");
    exit(70);
  }
  is_lying = getenv("POWER_CUT_LIE") != NULL;
  const char *seed = getenv("POWER_CUT_EARLY");
  if (seed) early = strtoull(seed, NULL, 10) * 2 + 1;
}

static void copy(struct file *file, off_t offset, size_t length) {
  static char bytes[1 << 16];
  while (length > 0) {
    ssize_t count = pread(file->source, bytes, length < sizeof bytes ? length : sizeof bytes, offset);
    if (count < 0) abort();
    /* It was cut since. */
    if (count == 0) return;
    if (real_pwrite(file->shadow, bytes, (size_t)count, offset) != count) abort();
    offset += count;
    length -= (size_t)count;
  }
}

/* Whether the disk happens to write this one at once (xorshift). */
static int is_early(void) {
  if (!early) return 0;
  early ^= early << 13;
  early ^= early >> 7;
  early ^= early << 17;
  return (int)(early >> 33) & 1;
}

/* With the lock held. */
static void remember(int fd, size_t length, off_t offset) {
  struct file *file = descriptors[fd].file;
  int is_synced = descriptors[fd].is_synchronous && !is_lying;
  if (is_synced || is_early()) copy(file, offset, length);
  if (is_synced) return;
  struct change *change = malloc(sizeof *change);
  if (!change) abort();
  *change = (struct change){.offset = offset, .length = length};
  *file->last = change;
  file->last = &change->next;
}

/* A descriptor may have been closed without us. */
static int is_tracked(int fd) {
  if (fd < 0 || fd >= DESCRIPTORS || !descriptors[fd].file) return 0;
  struct file *file = descriptors[fd].file;
  struct stat stat;
  int error = errno;
  int is_same = !fstat(fd, &stat) && stat.st_dev == file->device && stat.st_ino == file->inode;
  errno = error;
  if (!is_same) descriptors[fd].file = NULL;
  return is_same;
}

static void remember_vector(int fd, const struct iovec *vector, int count, ssize_t written, off_t offset) {
  for (int i = 0; i < count && written > 0; i++) {
    size_t length = vector[i].iov_len < (size_t)written ? vector[i].iov_len : (size_t)written;
    remember(fd, length, offset);
    offset += (off_t)length;
    written -= (ssize_t)length;
  }
}

static off_t position_of(int fd) {
  return lseek(fd, 0, descriptors[fd].is_appending ? SEEK_END : SEEK_CUR);
}

/* What is written while it is being synced need not be synced. */
#define SYNC(name) \
  int name(int fd) { \
    REAL(name); \
    if (!is_tracked(fd)) return real(fd); \
    struct file *file = descriptors[fd].file; \
    pthread_mutex_lock(&lock); \
    struct change *changes = file->changes; \
    off_t cut = file->cut; \
    file->changes = NULL; \
    file->last = &file->changes; \
    file->cut = -1; \
    pthread_mutex_unlock(&lock); \
    int result = real(fd); \
    pthread_mutex_lock(&lock); \
    if (!result && !is_lying) settle(file, changes, cut); \
    pthread_mutex_unlock(&lock); \
    return result; \
  }

static void settle(struct file *file, struct change *change, off_t cut) {
  if (cut >= 0 && real_ftruncate(file->shadow, cut)) abort();
  while (change) {
    struct change *next = change->next;
    copy(file, change->offset, change->length);
    free(change);
    change = next;
  }
}

SYNC(fsync)
SYNC(fdatasync)

static int make_shadow(const char *relative) {
  char path[PATH_MAX * 2];
  snprintf(path, sizeof path, "%s%s", shadow, relative);
  for (char *slash = path + strlen(shadow) + 1; (slash = strchr(slash, '/')); slash++) {
    *slash = 0;
    if (mkdir(path, 0777) && errno != EEXIST) abort();
    *slash = '/';
  }
  int fd = real_open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (fd < 0) abort();
  return fd;
}

/* LMDB's lock of a directory, or of a file. */
static int is_lock(const char *path) {
  size_t length = strlen(path);
  return (length > 9 && !strcmp(path + length - 9, "/lock.mdb")) || (length > 5 && !strcmp(path + length - 5, "-lock"));
}

/* Follows a descriptor when it is of a file in the data directory. */
static int opened(int fd, int flags) {
  if (fd < 0 || fd >= DESCRIPTORS || (flags & O_PATH)) return fd;
  int error = errno;
  char link[64], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  size_t prefix = strlen(data);
  struct stat stat;
  pthread_mutex_lock(&lock);
  descriptors[fd].file = NULL;
  if (length > 0 && (path[length] = 0, !strncmp(path, data, prefix)) && path[prefix] == '/' &&
      !fstat(fd, &stat) && S_ISREG(stat.st_mode) && !is_lock(path)) {
    struct file *file = files;
    while (file && (file->device != stat.st_dev || file->inode != stat.st_ino)) file = file->next;
    if (!file) {
      file = calloc(1, sizeof *file);
      if (!file) abort();
      *file = (struct file){.next = files, .device = stat.st_dev, .inode = stat.st_ino, .cut = -1};
      file->last = &file->changes;
      file->source = real_open(path, O_RDONLY | O_CLOEXEC, 0);
      if (file->source < 0) abort();
      file->shadow = make_shadow(path + prefix);
      files = file;
    }
    descriptors[fd].file = file;
    descriptors[fd].is_synchronous = (flags & O_DSYNC) != 0;
    descriptors[fd].is_appending = (flags & O_APPEND) != 0;
    if ((flags & O_TRUNC) && (flags & O_ACCMODE) != O_RDONLY) file->cut = 0;
  }
  pthread_mutex_unlock(&lock);
  errno = error;
  return fd;
}

#define OPEN(name) \
  int name(const char *path, int flags, ...) { \
    REAL(name); \
    va_list rest; \
    va_start(rest, flags); \
    mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(rest, mode_t) : 0; \
    va_end(rest); \
    return opened(real(path, flags, mode), flags); \
  }
OPEN(open)
OPEN(open64)

#define OPENAT(name) \
  int name(int directory, const char *path, int flags, ...) { \
    REAL(name); \
    va_list rest; \
    va_start(rest, flags); \
    mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(rest, mode_t) : 0; \
    va_end(rest); \
    return opened(real(directory, path, flags, mode), flags); \
  }
OPENAT(openat)
OPENAT(openat64)

int close(int fd) {
  REAL(close);
  if (fd >= 0 && fd < DESCRIPTORS) descriptors[fd].file = NULL;
  return real(fd);
}

/* Runs a write, and remembers what of it was done. */
#define WRITE(fd, call, offset_before, after) \
  if (!is_tracked(fd)) return call; \
  pthread_mutex_lock(&lock); \
  off_t start = offset_before; \
  ssize_t written = call; \
  int error = errno; \
  if (written > 0) after; \
  pthread_mutex_unlock(&lock); \
  errno = error; \
  return written

ssize_t write(int fd, const void *bytes, size_t length) {
  REAL(write);
  WRITE(fd, real(fd, bytes, length), position_of(fd), remember(fd, (size_t)written, start));
}

ssize_t writev(int fd, const struct iovec *vector, int count) {
  REAL(writev);
  WRITE(fd, real(fd, vector, count), position_of(fd), remember_vector(fd, vector, count, written, start));
}

#define PWRITE(name, type) \
  ssize_t name(int fd, const void *bytes, size_t length, type offset) { \
    REAL(name); \
    WRITE(fd, real(fd, bytes, length, offset), offset, remember(fd, (size_t)written, start)); \
  }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

#define PWRITEV(name, type) \
  ssize_t name(int fd, const struct iovec *vector, int count, type offset) { \
    REAL(name); \
    WRITE(fd, real(fd, vector, count, offset), offset, remember_vector(fd, vector, count, written, start)); \
  }
PWRITEV(pwritev, off_t)
PWRITEV(pwritev64, off64_t)

#define TRUNCATE(name, type) \
  int name(int fd, type length) { \
    REAL(name); \
    if (!is_tracked(fd)) return real(fd, length); \
    pthread_mutex_lock(&lock); \
    int result = real(fd, length); \
    if (!result) descriptors[fd].file->cut = length; \
    pthread_mutex_unlock(&lock); \
    return result; \
  }
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

#define MMAP(name, type) \
  void *name(void *address, size_t length, int protection, int flags, int fd, type offset) { \
    REAL(name); \
    if (is_tracked(fd) && (flags & MAP_SHARED) && (protection & PROT_WRITE)) close(make_shadow("/mapped")); \
    return real(address, length, protection, flags, fd, offset); \
  }
MMAP(mmap, off_t)
MMAP(mmap64, off64_t)

/* Names count as durable at once: nothing here relies on a name that a power cut could remove. */
int rename(const char *from, const char *to) {
  REAL(rename);
  char path[PATH_MAX], old[PATH_MAX * 2], new[PATH_MAX * 2];
  size_t prefix = strlen(data);
  int is_ours = realpath(from, path) && !strncmp(path, data, prefix) && path[prefix] == '/';
  if (is_ours) snprintf(old, sizeof old, "%s%s", shadow, path + prefix);
  int result = real(from, to);
  if (!result && is_ours && realpath(to, path)) {
    snprintf(new, sizeof new, "%s%s", shadow, path + prefix);
    real(old, new);
  }
  return result;
}
