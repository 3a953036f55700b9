/*
 * Reading a log file that others write: its last lines, and then what is appended, also when the
 * file is renamed and begun anew, or cut to nothing.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/macros.h"

struct logfile {
	const char *path; /* the caller's */
	int fd;		  /* -1: there is no such file, at the moment */
	dev_t device;	  /* which file fd is */
	ino_t inode;
	off_t position; /* up to where it was read */
};

/*
 * Opens the file and goes to where its last `lines` lines begin (a last line without a newline
 * counts); reads only as much of it as these lines take. 0; -ENOENT: there is none, and fd is -1;
 * or another -errno. ret is to be closed by logfile_close in any case.
 */
int logfile_open(struct logfile *ret, const char *path, uint64_t lines) must_check;

/* Appends the next piece, at most 64 KiB. 1; 0: nothing more now; or -errno. */
int logfile_read(struct logfile *, struct buf *out) must_check;

/*
 * After logfile_read said that there is nothing more: looks whether another file stands at the path
 * now, or this one was cut, and if so begins with it. Returns whether it did; -errno when the new
 * file cannot be opened, and then the old one goes on.
 */
int logfile_renew(struct logfile *) must_check;

/* Closes the file. */
void logfile_close(struct logfile *);
