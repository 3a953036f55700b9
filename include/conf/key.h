/*
 * Keys by which signed tokens are checked. The memory is a mapping of its own, which the kernel
 * leaves out of core files, and which is wiped before it is given back.
 */
#pragma once

#include "base/macros.h"
#include "base/span.h"
#include "conf/data.h"

enum {
	KEY_SECRET_MIN = 32, /* RFC 7518 section 3.2: as long as the hash */
	KEY_PUBLIC_BYTES = 32,
};

/* Sets a zeroed key to a copy of the bytes. 0 or -ENOMEM. */
int key_set(struct conf_key *, struct span) must_check;

/* Sets a zeroed key to the Ed25519 public key of the PEM text. 0; -EINVAL: it holds none; -ENOMEM. */
int key_set_pem(struct conf_key *, struct span) must_check;

/* Wipes and frees it; there is none then. */
void key_fini(struct conf_key *);
