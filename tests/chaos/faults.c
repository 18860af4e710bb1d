/* Preloaded into a server: system calls that fail, and a wall clock that is wrong, when a page of
 * shared memory says so. `faults.py` has the other side of the page. Nothing is allocated and no
 * descriptor is kept, so that what is measured of the server is its own. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* In the order of `faults.CALLS`. */
enum { ACCEPT, OPEN, RECEIVE, SEND, MAP, DESCRIPTOR, WATCH, THREAD, WRITE_SPOOL, WRITE_LOG, RULES };

struct rule {
    _Atomic uint32_t number;      /* errno, 0: the call works */
    _Atomic uint32_t per_million; /* how likely it fails */
    _Atomic uint64_t failed;      /* how often it has */
    _Atomic uint64_t room;        /* 1: a write still finds room for a half of it */
};

struct page {
    _Atomic int64_t wrong_ns;      /* what the wall clock is ahead */
    _Atomic uint64_t spared;       /* pid of the process that no rule is for: the master */
    struct rule rules[RULES];
};

static struct page *page;
static char spool[256], logs[256];
static __thread uint64_t dice;

__attribute__((constructor)) static void begin(void)
{
    const char *name = getenv("CHAOS_PAGE");
    if (!name)
        return;
    if (getenv("CHAOS_SPOOL"))
        strncpy(spool, getenv("CHAOS_SPOOL"), sizeof spool - 1);
    if (getenv("CHAOS_LOG"))
        strncpy(logs, getenv("CHAOS_LOG"), sizeof logs - 1);
    int fd = syscall(SYS_openat, AT_FDCWD, name, O_RDWR | O_CLOEXEC);
    struct stat seen;
    if (fd < 0 || fstat(fd, &seen))
        abort();
    void *at = (void *)syscall(SYS_mmap, 0, seen.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED)
        abort();
    syscall(SYS_close, fd);
    page = at;
}

/* Whether the call fails this time; errno is set then. */
static int fails(int which)
{
    if (!page || !page->rules[which].number || page->spared == (uint64_t)getpid())
        return 0;
    if (!dice)
        dice = ((uint64_t)syscall(SYS_gettid) << 32) ^ (uintptr_t)&dice ^ 0x9e3779b97f4a7c15;
    dice ^= dice << 13;
    dice ^= dice >> 7;
    dice ^= dice << 17;
    if (dice % 1000000 >= page->rules[which].per_million)
        return 0;
    int number = page->rules[which].number;
    if (!number)
        return 0;
    page->rules[which].failed++;
    errno = number;
    return 1;
}

#define NEXT(name)                                  \
    static __typeof__(&name) next;                  \
    if (!next)                                      \
        next = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

int accept4(int fd, struct sockaddr *who, socklen_t *size, int flags)
{
    NEXT(accept4);
    return fails(ACCEPT) ? -1 : next(fd, who, size, flags);
}

/* What the interpreter imports is not touched: only files made anew (spools, logs) fail. */
#define OPENER(name, SIGNATURE, CALL)                    \
    int name SIGNATURE                                   \
    {                                                    \
        NEXT(name);                                      \
        mode_t mode = 0;                                 \
        if (flags & (O_CREAT | __O_TMPFILE)) {           \
            va_list more;                                \
            va_start(more, flags);                       \
            mode = va_arg(more, mode_t);                 \
            va_end(more);                                \
            if (fails(OPEN))                             \
                return -1;                               \
        }                                                \
        return next CALL;                                \
    }
OPENER(open, (const char *path, int flags, ...), (path, flags, mode))
OPENER(open64, (const char *path, int flags, ...), (path, flags, mode))
OPENER(openat, (int at, const char *path, int flags, ...), (at, path, flags, mode))
OPENER(openat64, (int at, const char *path, int flags, ...), (at, path, flags, mode))

ssize_t recv(int fd, void *buffer, size_t size, int flags)
{
    NEXT(recv);
    return fails(RECEIVE) ? -1 : next(fd, buffer, size, flags);
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    NEXT(recvmsg);
    return fails(RECEIVE) ? -1 : next(fd, message, flags);
}

ssize_t send(int fd, const void *buffer, size_t size, int flags)
{
    NEXT(send);
    return fails(SEND) ? -1 : next(fd, buffer, size, flags);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    NEXT(sendmsg);
    return fails(SEND) ? -1 : next(fd, message, flags);
}

/* Memory that has a purpose of its own: shared, or of a file. malloc's is not refused here, for
 * neither CPython nor Rust goes on without it. */
void *mmap(void *at, size_t size, int access, int flags, int fd, off_t offset)
{
    NEXT(mmap);
    if ((flags & MAP_SHARED || fd >= 0) && fails(MAP))
        return MAP_FAILED;
    return next(at, size, access, flags, fd, offset);
}

void *mmap64(void *at, size_t size, int access, int flags, int fd, off64_t offset)
{
    return mmap(at, size, access, flags, fd, offset);
}

int memfd_create(const char *name, unsigned flags)
{
    NEXT(memfd_create);
    return fails(DESCRIPTOR) ? -1 : next(name, flags);
}

int pipe2(int ends[2], int flags)
{
    NEXT(pipe2);
    return fails(DESCRIPTOR) ? -1 : next(ends, flags);
}

int epoll_ctl(int poller, int what, int fd, struct epoll_event *event)
{
    NEXT(epoll_ctl);
    return what == EPOLL_CTL_ADD && fails(WATCH) ? -1 : next(poller, what, fd, event);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *how, void *(*run)(void *), void *with)
{
    NEXT(pthread_create);
    return fails(THREAD) ? errno : next(thread, how, run, with);
}

/* Which rule is for a descriptor that is written to; -1: none. */
static int written(int fd)
{
    struct stat seen;
    char link[32], path[512];
    if (!page || fstat(fd, &seen) || !S_ISREG(seen.st_mode))
        return -1;
    char *at = link + sizeof link - 1;
    *at = 0;
    for (unsigned left = fd; at == link + sizeof link - 1 || left; left /= 10)
        *--at = '0' + left % 10;
    at -= sizeof "/proc/self/fd/" - 1;
    memcpy(at, "/proc/self/fd/", sizeof "/proc/self/fd/" - 1);
    ssize_t size = readlink(at, path, sizeof path - 1);
    if (size < 0)
        return -1;
    path[size] = 0;
    if (*logs && !strncmp(path, logs, strlen(logs)))
        return WRITE_LOG;
    return *spool && !strncmp(path, spool, strlen(spool)) ? WRITE_SPOOL : -1;
}

/* A full disk takes what still fits, once, and refuses the rest the next time. */
ssize_t write(int fd, const void *buffer, size_t size)
{
    NEXT(write);
    int before = errno, which = written(fd);
    errno = before;
    if (which >= 0 && fails(which)) {
        if (size > 1 && __atomic_exchange_n(&page->rules[which].room, 0, __ATOMIC_SEQ_CST))
            return next(fd, buffer, size / 2);
        errno = page->rules[which].number ? page->rules[which].number : ENOSPC;
        return -1;
    }
    return next(fd, buffer, size);
}

/* Clocks of the wall. Steps of CLOCK_MONOTONIC do not exist. */
int clock_gettime(clockid_t which, struct timespec *now)
{
    NEXT(clock_gettime);
    int failed = next(which, now);
    if (!failed && page && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)) {
        int64_t all = now->tv_nsec + page->wrong_ns % 1000000000;
        now->tv_sec += page->wrong_ns / 1000000000;
        now->tv_sec += all >= 1000000000 ? 1 : all < 0 ? -1 : 0;
        now->tv_nsec = all >= 1000000000 ? all - 1000000000 : all < 0 ? all + 1000000000 : all;
    }
    return failed;
}

time_t time(time_t *into)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (into)
        *into = now.tv_sec;
    return now.tv_sec;
}

int gettimeofday(struct timeval *now, void *zone)
{
    struct timespec fine;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &fine);
    now->tv_sec = fine.tv_sec;
    now->tv_usec = fine.tv_nsec / 1000;
    return 0;
}
