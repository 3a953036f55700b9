/*
 * Why this file exists: what was passed is looked at before it is used; a socket of the wrong kind would
 * be found out by the workers only, and at each client anew.
 */
#include "sys/activation.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "config.h"

const char *
activation_kind_name(enum activation_kind kind)
{
	switch (kind) {
	case ACTIVATION_TCP:
		return "a TCP socket that listens";
	case ACTIVATION_UNIX:
		return "a Unix socket that listens";
	case ACTIVATION_FILE:
		return "a file";
	case ACTIVATION_DEAF:
		return "a stream socket that does not listen for TCP or Unix connections";
	case ACTIVATION_DATAGRAM:
		return "a socket, but none of streams";
	case ACTIVATION_ELSE:
		break;
	}
	return "neither a socket nor a file";
}

#ifdef LURKBOT_SYSTEMD

#include <fcntl.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

enum activation_kind
activation_kind_of(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return ACTIVATION_ELSE;
	if (S_ISREG(st.st_mode))
		return ACTIVATION_FILE;
	if (!S_ISSOCK(st.st_mode))
		return ACTIVATION_ELSE;
	if (sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, -1) <= 0)
		return ACTIVATION_DATAGRAM;
	if (sd_is_socket_unix(fd, SOCK_STREAM, 1, NULL, 0) > 0)
		return ACTIVATION_UNIX;
	if (sd_is_socket_inet(fd, AF_UNSPEC, SOCK_STREAM, 1, 0) > 0)
		return ACTIVATION_TCP;
	return ACTIVATION_DEAF;
}

/* The first that is not open of those that were announced; -1: all are, or it cannot be told. */
static int
find_bad(const char *announced)
{
	long count = announced != NULL ? strtol(announced, NULL, 10) : 0;

	for (int i = 0; i < count && i < ACTIVATION_MAX; i++)
		if (fcntl(SD_LISTEN_FDS_START + i, F_GETFD) < 0)
			return SD_LISTEN_FDS_START + i;
	return -1;
}

static void
free_names(char **names)
{
	for (char **name = names; name != NULL && *name != NULL; name++)
		free(*name); /* libsystemd's */
	free(names);
}

int
activation_take(struct activation *ret, int *ret_bad)
{
	char **names = NULL;
	int bad = find_bad(getenv("LISTEN_FDS"));
	int r = sd_listen_fds_with_names(1, &names);

	if (r == -EBADF)
		*ret_bad = bad;
	if (r > ACTIVATION_MAX) {
		free_names(names);
		return -E2BIG;
	}
	if (r < 0)
		return r;
	ret->count = (unsigned)r;
	for (unsigned i = 0; i < ret->count; i++) {
		struct activation_fd *at = &ret->fds[i];

		at->fd = SD_LISTEN_FDS_START + (int)i;
		at->kind = activation_kind_of(at->fd);
		(void)snprintf(at->name, sizeof(at->name), "%s", names[i]);
	}
	free_names(names);
	return 0;
}

#else

enum activation_kind
activation_kind_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? ACTIVATION_FILE : ACTIVATION_ELSE;
}

int
activation_take(struct activation *ret, int *ret_bad)
{
	(void)ret_bad;
	ret->count = 0;
	return 0;
}

#endif
