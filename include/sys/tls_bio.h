/*
 * Inside of sys/tls: where OpenSSL reads and writes. It reads from the bytes that one recv brought, and what it
 * writes is all taken; what the kernel does not take is kept.
 */
#pragma once

#include <stddef.h>

#include "base/buf.h"
#include "base/macros.h"
#include "base/span.h"

struct bio_method_st;

/* What a BIO of this kind has as its data. */
struct tls_pipe {
	struct span wire;  /* came, and was not read yet */
	struct buf owed;   /* to be sent, and not taken by the kernel yet */
	struct buf *aside; /* where what is to be sent goes instead; NULL: nowhere else */
	int fd;
	int error; /* errno of the socket; nothing is taken any more */
};

/* The kind of BIO; NULL without memory. To be freed by BIO_meth_free. */
struct bio_method_st *tls_bio_method_new(void) must_check;

/* Takes all of it to be sent, behind what is owed. 0 or -errno. */
int tls_pipe_send(struct tls_pipe *, struct span bytes) must_check;

/* Sends what is owed, as far as the kernel takes it. 0 or -errno. */
int tls_pipe_pay(struct tls_pipe *) must_check;

/* Frees what is owed. */
void tls_pipe_fini(struct tls_pipe *);
