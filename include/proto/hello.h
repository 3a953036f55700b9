/*
 * The hello, a client's first frame, decoded into one heap block that is exactly as large as needed:
 * it stays with the connection for as long as that lives.
 *
 * Credentials stand in a block of their own, which is wiped as soon as they were checked.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/span.h"
#include "proto/envelope_fault.h"
#include "proto/filter.h"

enum {
	HELLO_PROTOCOL_MIN = 1, /* the versions that this server speaks */
	HELLO_PROTOCOL_MAX = 1,
	HELLO_TEXT_MAX = 128, /* bytes of each of the client's strings and capabilities */
	HELLO_CAPS_MAX = 64,
	HELLO_CREDENTIAL_MAX = 4096,
	HELLO_EPOCH_MAX = 64,
};

enum hello_mode { HELLO_MODE_APP, HELLO_MODE_WEB, HELLO_MODE_CLI };

struct hello_client {
	struct span id;		  /* 1..128 bytes, like version and platform */
	struct span display_name; /* n == 0: absent */
	struct span version;
	struct span platform;
	enum hello_mode mode;
};

/* What the client said of itself to be let in; n == 0: absent. */
struct hello_credentials {
	struct span token, password;
};

/* All spans point into the block of the struct itself. */
struct hello {
	int64_t min_protocol, max_protocol; /* as the client said */
	unsigned protocol;		    /* what both speak */
	struct hello_client client;
	struct hello_credentials *credentials; /* owned; NULL: none, or forgotten */
	struct filter *filter; /* owned; the default filter without "subscribe"; NULL once stolen */
	bool has_resume;
	struct span resume_epoch; /* 1..64 bytes where has_resume */
	uint64_t resume_seq;
	size_t caps_count;
	struct span caps[];
};

/*
 * Reads a hello frame. Whatever is no valid hello is a fault, JSON or not; fields are checked before
 * versions are compared, so reason protocol-mismatch means that all else was well.
 *
 * Returns 0 and *ret, freed by hello_free; -EBADMSG and *ret_fault; -ENOMEM.
 */
int hello_parse(struct span text, struct hello **ret, struct envelope_fault *ret_fault) must_check;

/* Frees a hello and the filter that it still owns. NULL is allowed. */
void hello_free(struct hello *hello);

/* Wipes and frees the credentials; there are none then. */
void hello_forget_credentials(struct hello *hello);

/* Hands the filter out: from now on it is the caller's to free. NULL when it was taken before. */
struct filter *hello_steal_filter(struct hello *hello);

/* "app", "web" or "cli". */
const char *hello_mode_name(enum hello_mode mode);
