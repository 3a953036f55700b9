/*
 * bareloop: the bare loops that make bench-peers holds the gateway against. It serves 127.0.0.1 on a port
 * that the kernel chooses, prints `port N`, and runs until it is killed.
 *
 * With --processes each process has a listener of its own on that port, so that the kernel shares the
 * connections out, and is given what publishers of the others send.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "loop.h"

enum { PROCESSES_MAX = 64, BACKLOG = 4096 };

struct setup {
	enum sender_kind sender;
	unsigned processes;
	uint16_t port;
	int listeners[PROCESSES_MAX];
	int inboxes[PROCESSES_MAX][2]; /* read here, write there */
};

static void
die(const char *what)
{
	fprintf(stderr, "bareloop: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void
usage(void)
{
	fputs("usage: bareloop [--sender each|send|io_uring] [--processes N]\n", stderr);
	exit(2);
}

static enum sender_kind
read_sender(const char *name)
{
	for (unsigned i = 0; i < SENDER_KINDS; i++)
		if (strcmp(sender_name((enum sender_kind)i), name) == 0)
			return (enum sender_kind)i;
	usage();
	return SENDER_KINDS;
}

static void
read_options(struct setup *s, int argc, char **argv)
{
	static const struct option table[] = { { "sender", 1, NULL, 's' },
		{ "processes", 1, NULL, 'p' }, { 0 } };
	int option;

	while ((option = getopt_long(argc, argv, "", table, NULL)) != -1) {
		if (option == 's')
			s->sender = read_sender(optarg);
		else if (option == 'p')
			s->processes = (unsigned)strtoul(optarg, NULL, 10);
		else
			usage();
	}
	if (optind != argc || s->processes < 1 || s->processes > PROCESSES_MAX)
		usage();
	if (!sender_is_supported(s->sender)) {
		fprintf(stderr, "bareloop: built without %s\n", sender_name(s->sender));
		exit(3);
	}
}

/* The first listener's port is the kernel's choice, and becomes that of the others. */
static int
listen_on(uint16_t *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(*port) };
	socklen_t len = sizeof(address);
	const int one = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) != 0 ||
	    bind(fd, (struct sockaddr *)&address, len) != 0 || listen(fd, BACKLOG) != 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &len) != 0)
		die("listen");
	*port = ntohs(address.sin_port);
	return fd;
}

static void
open_all(struct setup *s)
{
	for (unsigned i = 0; i < s->processes; i++) {
		s->listeners[i] = listen_on(&s->port);
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s->inboxes[i]) != 0)
			die("socketpair");
	}
}

static void
run_process(const struct setup *s, unsigned self)
{
	static int others[PROCESSES_MAX];
	struct loop_setup loop = {
		.sender = s->sender,
		.listener = s->listeners[self],
		.inbox = s->processes > 1 ? s->inboxes[self][0] : -1,
		.others = others,
	};

	for (unsigned i = 0; i < s->processes; i++) {
		if (i == self)
			continue;
		others[loop.other_count++] = s->inboxes[i][1];
		close(s->listeners[i]);
	}
	loop_run(&loop);
}

int
main(int argc, char **argv)
{
	struct setup s = { .sender = SENDER_RUN, .processes = 1 };

	read_options(&s, argc, argv);
	open_all(&s);
	printf("port %u\n", s.port);
	fflush(stdout);
	for (unsigned i = 1; i < s.processes; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			run_process(&s, i);
		}
	}
	run_process(&s, 0);
	return 0;
}
