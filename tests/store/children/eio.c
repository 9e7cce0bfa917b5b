/* Makes the n-th call that reads or writes a history store fail with EIO: once, or from then on. For LD_PRELOAD. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int armed, persistent, calls, fired;

void eio_arm(int at, int is_persistent) {
    armed = at;
    persistent = is_persistent;
    calls = fired = 0;
}

int eio_fired(void) { return fired; }

static int fails(int fd) {
    char link[64], path[4096];
    if (!armed) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    if (!strstr(path, "history.db")) return 0;
    calls++;
    if (calls != armed && !(persistent && calls > armed)) return 0;
    fired++;
    errno = EIO;
    return 1;
}

#define WRAP(type, name, parameters, arguments)                                    \
    type name parameters {                                                         \
        static type(*real) parameters;                                             \
        if (!real) real = (type(*) parameters)dlsym(RTLD_NEXT, #name);             \
        return fails(fd) ? -1 : real arguments;                                    \
    }

WRAP(ssize_t, pread64, (int fd, void *buffer, size_t size, off64_t at), (fd, buffer, size, at))
WRAP(ssize_t, pwrite64, (int fd, const void *buffer, size_t size, off64_t at), (fd, buffer, size, at))
WRAP(ssize_t, pread, (int fd, void *buffer, size_t size, off_t at), (fd, buffer, size, at))
WRAP(ssize_t, pwrite, (int fd, const void *buffer, size_t size, off_t at), (fd, buffer, size, at))
WRAP(int, ftruncate64, (int fd, off64_t size), (fd, size))
WRAP(int, ftruncate, (int fd, off_t size), (fd, size))
WRAP(int, fsync, (int fd), (fd))
WRAP(int, fdatasync, (int fd), (fd))
