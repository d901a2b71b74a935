// Preloaded into the server by tests. The file named by SHIM holds two numbers, read at every call: by how many seconds
// the wall clock is ahead, and how many milliseconds longer an fsync takes.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long setting(int index) {
  const char* path = getenv("SHIM");
  FILE* file = path ? fopen(path, "r") : NULL;
  long values[2] = {0, 0};
  if (file) {
    if (fscanf(file, "%ld %ld", &values[0], &values[1]) != 2) values[index] = 0;
    fclose(file);
  }
  return values[index];
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
  usleep(1000u * (unsigned)setting(1));
  return real(fd);
}

int fdatasync(int fd) {
  static int (*real)(int);
  if (!real) real = dlsym(RTLD_NEXT, "fdatasync");
  usleep(1000u * (unsigned)setting(1));
  return real(fd);
}
