// Preloaded into the server by tests. The file named by SHIM is read at every call and holds, the last six optional:
//   by how many seconds the wall clock is ahead
//   how many milliseconds longer an fsync takes
//   the errno with which files below FOLDER refuse to be written; with EROFS also to be opened for it, removed, renamed
//   the errno with which their fsync fails; what was not synced is lost then, as when the kernel drops the pages
//   the errno with which a thread cannot be made
//   by how many seconds CLOCK_BOOTTIME is ahead: the machine was suspended
//   the errno with which tables (.sst) below FOLDER cannot be read
//   FOLDER
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define REAL(name)                  \
  static __typeof__(&name) real;    \
  if (!real) real = dlsym(RTLD_NEXT, #name)

struct Says {
  long clock, fsync_ms, boot;
  int write_errno, fsync_errno, thread_errno, read_errno;
  char folder[512];
};

static struct Says says(void) {
  struct Says out = {0};
  const char* path = getenv("SHIM");
  FILE* file = path ? fopen(path, "r") : NULL;
  if (file) {
    if (fscanf(file, "%ld %ld %d %d %d %ld %d %511s", &out.clock, &out.fsync_ms, &out.write_errno, &out.fsync_errno,
               &out.thread_errno, &out.boot, &out.read_errno, out.folder) < 2)
      out = (struct Says){0};
    fclose(file);
  }
  return out;
}

// ---- clocks

// A sanitizer's free() asks for the time, and dlsym() calls free().
static int real_clock_gettime(clockid_t id, struct timespec* out) {
  static __typeof__(&clock_gettime) real;
  static _Atomic int looked_up;
  if (!real && !looked_up++) real = dlsym(RTLD_NEXT, "clock_gettime");
  return real ? real(id, out) : (int)syscall(SYS_clock_gettime, id, out);
}

int clock_gettime(clockid_t id, struct timespec* out) {
  const int result = real_clock_gettime(id, out);
  if (id == CLOCK_REALTIME && result == 0) out->tv_sec += says().clock;
  if (id == CLOCK_BOOTTIME && result == 0) out->tv_sec += says().boot;
  return result;
}

int gettimeofday(struct timeval* out, void* zone) {
  REAL(gettimeofday);
  const int result = real(out, zone);
  if (result == 0) out->tv_sec += says().clock;
  return result;
}

time_t time(time_t* out) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (out) *out = now.tv_sec;
  return now.tv_sec;
}

// ---- threads

int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*run)(void*), void* argument) {
  REAL(pthread_create);
  const int error = says().thread_errno;
  return error ? error : real(thread, attributes, run, argument);
}

// ---- disks

enum { kFiles = 65536 };
static _Atomic off_t synced[kFiles];  // by descriptor: how much of the file a failed fsync leaves

static int is_below(const struct Says* s, const char* path) {
  const size_t length = strlen(s->folder);
  return length > 0 && strncmp(path, s->folder, length) == 0 && path[length] == '/';
}

static void path_of(int fd, char path[4096]) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t length = readlink(link, path, 4095);
  path[length < 0 ? 0 : length] = 0;
}

static int is_file_below(const struct Says* s, int fd) {
  char path[4096];
  path_of(fd, path);
  return is_below(s, path);
}

static int is_table_below(const struct Says* s, int fd) {
  char path[4096];
  path_of(fd, path);
  const size_t length = strlen(path);
  return is_below(s, path) && length > 4 && strcmp(path + length - 4, ".sst") == 0;
}

static off_t size_of(int fd) {
  struct stat found;
  return fstat(fd, &found) == 0 ? found.st_size : 0;
}

static int fails(int error) {
  if (error) errno = error;
  return error;
}

static int write_fails(int fd) {
  const struct Says s = says();
  return fails(s.write_errno && is_file_below(&s, fd) ? s.write_errno : 0);
}

static int is_read_only(const char* path) {
  const struct Says s = says();
  return fails(s.write_errno == EROFS && is_below(&s, path) ? EROFS : 0);
}

ssize_t pread(int fd, void* data, size_t size, off_t at) {
  REAL(pread);
  const struct Says s = says();
  return fails(s.read_errno && is_table_below(&s, fd) ? s.read_errno : 0) ? -1 : real(fd, data, size, at);
}

ssize_t write(int fd, const void* data, size_t size) {
  REAL(write);
  return write_fails(fd) ? -1 : real(fd, data, size);
}

ssize_t pwrite(int fd, const void* data, size_t size, off_t at) {
  REAL(pwrite);
  return write_fails(fd) ? -1 : real(fd, data, size, at);
}

ssize_t writev(int fd, const struct iovec* data, int count) {
  REAL(writev);
  return write_fails(fd) ? -1 : real(fd, data, count);
}

int fallocate(int fd, int mode, off_t from, off_t size) {
  REAL(fallocate);
  return write_fails(fd) ? -1 : real(fd, mode, from, size);
}

int posix_fallocate(int fd, off_t from, off_t size) {
  REAL(posix_fallocate);
  return write_fails(fd) ? errno : real(fd, from, size);
}

int ftruncate(int fd, off_t size) {
  REAL(ftruncate);
  return write_fails(fd) ? -1 : real(fd, size);
}

int open(const char* path, int flags, ...) {
  REAL(open);
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = va_arg(rest, mode_t);
  va_end(rest);
  if ((flags & (O_WRONLY | O_RDWR | O_CREAT)) && is_read_only(path)) return -1;
  const int fd = real(path, flags, mode);
  if (fd >= 0 && fd < kFiles) synced[fd] = size_of(fd);
  return fd;
}

int unlink(const char* path) {
  REAL(unlink);
  return is_read_only(path) ? -1 : real(path);
}

int rename(const char* from, const char* to) {
  REAL(rename);
  return is_read_only(to) ? -1 : real(from, to);
}

static int sync_file(int fd, int (*real)(int)) {
  const struct Says s = says();
  usleep(1000u * (unsigned)s.fsync_ms);
  const off_t size = size_of(fd);
  if (s.fsync_errno && is_file_below(&s, fd)) {
    if (fd < kFiles && size > synced[fd] && ftruncate(fd, synced[fd]) != 0) perror("shim: ftruncate");
    errno = s.fsync_errno;
    return -1;
  }
  const int result = real(fd);
  if (result == 0 && fd < kFiles) synced[fd] = size;
  return result;
}

int fsync(int fd) {
  REAL(fsync);
  return sync_file(fd, real);
}

int fdatasync(int fd) {
  REAL(fdatasync);
  return sync_file(fd, real);
}
