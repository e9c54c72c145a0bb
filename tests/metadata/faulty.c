/* Preloaded, lets one system call fail with an error that a healthy file system never gives, or hang. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int fails(const char *call) {
    const char *chosen = getenv("FAULTY_CALL");
    if (chosen == NULL || strcmp(chosen, call) != 0) return 0;
    errno = atoi(getenv("FAULTY_ERRNO"));
    return 1;
}

static int ends_with(const char *text, const char *end) {
    size_t length = strlen(text), count = strlen(end);
    return length >= count && strcmp(text + length - count, end) == 0;
}

static int is_library;

int flock(int file, int operation) {
    return fails("flock") ? -1 : (int)syscall(SYS_flock, file, operation);
}

ssize_t pwrite64(int file, const void *bytes, size_t size, off_t offset) {
    return fails("pwrite") ? -1 : (ssize_t)syscall(SYS_pwrite64, file, bytes, size, offset);
}

int open64(const char *path, int flags, ...) {
    va_list more;
    va_start(more, flags);
    int mode = (flags & O_CREAT) ? va_arg(more, int) : 0;
    va_end(more);
    if (ends_with(path, ".lock") && fails("open")) return -1;
    if (ends_with(path, ".lock") && fails("lock hangs")) pause();
    if (is_library && ends_with(path, ".sqlite") && fails("library hangs")) pause();
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int open(const char *path, int flags, ...) __attribute__((alias("open64")));

__attribute__((constructor)) static void hang(int count, char **arguments, char **environment) {
    (void)environment;
    for (int i = 0; i < count; i++) {
        if (strstr(arguments[i], "database_calls.py") != NULL) is_library = 1;
        if (strstr(arguments[i], "sqlite_probe.py") != NULL && fails("probe")) pause();
    }
}
