/* doctor_socket.c: where the workers listen, whoever has given them the socket:
 * the configuration, systemd or the web server. */
#include "doctor.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LISTENS 0x10000 /* __SO_ACCEPTCON, in the flags of /proc/net/unix */
#define STREAM  1

/* The path of the listening socket of this inode. */
static bool
find_path(unsigned long inode, char out[BH_SOCKET_PATH_MAX])
{
    char line[512], path[BH_SOCKET_PATH_MAX];
    FILE *f = fopen("/proc/net/unix", "re");
    bool found = false;

    while (f != NULL && !found && fgets(line, sizeof line, f) != NULL) {
        unsigned flags, type;
        unsigned long number;
        if (sscanf(line, "%*x: %*x %*x %x %x %*x %lu %107[^\n]", &flags, &type,
                   &number, path) != 4 ||
            number != inode || flags != LISTENS || type != STREAM ||
            path[0] == '@')
            continue;
        snprintf(out, BH_SOCKET_PATH_MAX, "%s", path);
        found = true;
    }
    if (f != NULL) fclose(f);
    return found;
}

static bool
is_socket(const char *path)
{
    struct stat st;

    return path != NULL && stat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

/* A short name (-s ./worker.sock) starts from the folder of its process. False:
 * that one has left the folder, or the whole name has no room. */
static bool
make_whole(pid_t pid, char path[BH_SOCKET_PATH_MAX])
{
    char link[64], name[2 * BH_SOCKET_PATH_MAX];
    const char *rest = strncmp(path, "./", 2) == 0 ? path + 2 : path;

    if (path[0] == '/') return true;
    snprintf(link, sizeof link, "/proc/%ld/cwd", (long)pid);
    ssize_t n = readlink(link, name, BH_SOCKET_PATH_MAX);
    if (n <= 0 || n == BH_SOCKET_PATH_MAX) return false;
    n += snprintf(name + n, BH_SOCKET_PATH_MAX, "/%s", rest);
    if (n >= BH_SOCKET_PATH_MAX || !is_socket(name)) return false;
    memcpy(path, name, (size_t)n + 1);
    return true;
}

/* Among the first few descriptors of a worker is the one that it serves. */
static bool
find_listener(pid_t pid, char out[BH_SOCKET_PATH_MAX])
{
    char folder[64], target[64];
    struct dirent *e;
    unsigned long inode;
    bool found = false;

    snprintf(folder, sizeof folder, "/proc/%ld/fd", (long)pid);
    DIR *dir = opendir(folder);
    while (dir != NULL && !found && (e = readdir(dir)) != NULL) {
        ssize_t n =
            readlinkat(dirfd(dir), e->d_name, target, sizeof target - 1);
        if (n <= 0) continue;
        target[n] = '\0';
        found = sscanf(target, "socket:[%lu]", &inode) == 1 &&
                find_path(inode, out) && make_whole(pid, out);
    }
    if (dir != NULL) closedir(dir);
    return found;
}

const char *
bh_worker_socket(struct bh_doctor *d)
{
    const char *configured = d->conf->worker.socket;

    if (d->worker_socket[0] != '\0') return d->worker_socket;
    if (is_socket(configured)) return configured;
    for (size_t i = 0; i < d->n_workers; i++)
        if (find_listener(d->workers[i].pid, d->worker_socket))
            return d->worker_socket;
    return configured;
}
