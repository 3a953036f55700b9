/*
 * What a run is to do, from the command line.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dialect;

enum {
	WINDOW_MAX = 1024,
	SIZE_MIN = 34, /* a payload has room for its number and its time */
};

enum mode { MODE_FANOUT, MODE_RPC, MODE_PROVIDER, MODE_CONNECT };

struct options {
	enum mode mode;
	const struct dialect *dialect;
	uint16_t port;
	int pid; /* 0: the server's CPU time and memory are not looked at */
	unsigned connections, stopped, window;
	size_t size;
	double rate; /* a second; 0: as fast as the window allows */
	unsigned duration_ms, warm_up_ms;
	unsigned fill_kib; /* published twice before: while all read, and to those that do not */
	bool json, deflate, hold, tls, records;
};

/* The word for a mode. */
const char *options_mode_name(enum mode mode);

/* Reads the command line; ends the program when it asks for help or cannot be followed. */
struct options options_read(int argc, char **argv);
