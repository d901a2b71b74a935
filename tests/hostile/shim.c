// Preloaded into the server by tests. The file named by SHIM holds four numbers, read at every call: by how many seconds
// the wall clock is ahead, how many milliseconds longer an fsync takes, and the errno with which writes to files of the
// store (under SHIM_STORE) and fsyncs fail, or 0.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long setting(int index) {
  const char* path = getenv("SHIM");
  FILE* file = path ? fopen(path, "r") : NULL;
  long values[4] = {0, 0, 0, 0};
  if (file) {
    if (fscanf(file, "%ld %ld %ld %ld", &values[0], &values[1], &values[2], &values[3]) != 4) values[index] = 0;
    fclose(file);
  }
  return values[index];
}

// Whether the disk refuses to write to that file.
static int refuses_path(const char* path) {
  const char* store = getenv("SHIM_STORE");
  if (!store || strncmp(path, store, strlen(store)) != 0) return 0;
  const int error = (int)setting(2);
  if (error) errno = error;
  return error != 0;
}

static int refuses(int fd) {
  char link[32], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return refuses_path(path);
}

static int fails_to_sync(void) {
  usleep(1000u * (unsigned)setting(1));
  const int error = (int)setting(3);
  if (error) errno = error;
  return error != 0;
}

int clock_gettime(clockid_t id, struct timespec* out) {
  static int (*real)(clockid_t, struct timespec*);
  if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
  const int result = real(id, out);
  if (id == CLOCK_REALTIME && result == 0) out->tv_sec += setting(0);
  return result;
}

int gettimeofday(struct timeval* out, void* zone) {
  static int (*real)(struct timeval*, void*);
  if (!real) real = dlsym(RTLD_NEXT, "gettimeofday");
  const int result = real(out, zone);
  if (result == 0) out->tv_sec += setting(0);
  return result;
}

time_t time(time_t* out) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (out) *out = now.tv_sec;
  return now.tv_sec;
}

int fsync(int fd) {
  static int (*real)(int);
  if (!real) real = dlsym(RTLD_NEXT, "fsync");
  return fails_to_sync() ? -1 : real(fd);
}

int fdatasync(int fd) {
  static int (*real)(int);
  if (!real) real = dlsym(RTLD_NEXT, "fdatasync");
  return fails_to_sync() ? -1 : real(fd);
}

ssize_t write(int fd, const void* bytes, size_t count) {
  static ssize_t (*real)(int, const void*, size_t);
  if (!real) real = dlsym(RTLD_NEXT, "write");
  return refuses(fd) ? -1 : real(fd, bytes, count);
}

ssize_t pwrite(int fd, const void* bytes, size_t count, off_t offset) {
  static ssize_t (*real)(int, const void*, size_t, off_t);
  if (!real) real = dlsym(RTLD_NEXT, "pwrite");
  return refuses(fd) ? -1 : real(fd, bytes, count, offset);
}

int open(const char* path, int flags, ...) {
  static int (*real)(const char*, int, ...);
  if (!real) real = dlsym(RTLD_NEXT, "open");
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  return (flags & O_CREAT) && refuses_path(path) ? -1 : real(path, flags, mode);
}
