/*
 * Members stand in the order in which PROTOCOL.md shows them. Details appear only when there is
 * something to say.
 */
#include "proto/reply.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "proto/hello.h"

/* Members that only a refused hello has. */
enum extra { EXTRA_NONE, EXTRA_SUPPORTED };

void
reply_error_say(struct reply_error *error, const char *fmt, ...)
{
	static const struct span dots = SPAN_INIT("...");
	char *message = error->message;
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(message, sizeof(error->message), fmt, args);
	va_end(args);
	if (n < 0) {
		message[0] = '\0';
	} else if (n > REPLY_MESSAGE_MAX) {
		size_t kept = text_cut(span_cstr(message), REPLY_MESSAGE_MAX - dots.n).n;

		memcpy(message + kept, dots.p, dots.n + 1);
	}
}

static void
write_supported(struct jsonw *w)
{
	jsonw_key(w, "supported");
	jsonw_array(w);
	jsonw_uint(w, HELLO_PROTOCOL_MIN);
	jsonw_uint(w, HELLO_PROTOCOL_MAX);
	jsonw_array_end(w);
}

static void
write_details(struct jsonw *w, const struct reply_error *error, bool is_retryable, enum extra extra)
{
	jsonw_key(w, "details");
	jsonw_object(w);
	if (error->reason != NULL) {
		jsonw_key(w, "reason");
		jsonw_cstr(w, error->reason);
	}
	if (error->field != NULL) {
		jsonw_key(w, "field");
		jsonw_cstr(w, error->field);
	}
	if (is_retryable) {
		jsonw_key(w, "retryable");
		jsonw_bool(w, true);
	}
	if (error->retry_after_ms > 0) {
		jsonw_key(w, "retryAfterMs");
		jsonw_uint(w, error->retry_after_ms);
	}
	if (extra == EXTRA_SUPPORTED)
		write_supported(w);
	jsonw_object_end(w);
}

static void
write_shape(struct jsonw *w, const struct reply_error *error, enum extra extra)
{
	bool is_retryable = error->retryable || error->code == ERROR_UNAVAILABLE;

	jsonw_object(w);
	jsonw_key(w, "code");
	jsonw_cstr(w, error_code_name(error->code));
	jsonw_key(w, "message");
	jsonw_cstr(w, error->message);
	if (error->reason != NULL || error->field != NULL || is_retryable ||
	    error->retry_after_ms > 0 || extra != EXTRA_NONE)
		write_details(w, error, is_retryable, extra);
	jsonw_object_end(w);
}

/* Opens a frame and names the member that carries what is said. */
static void
begin_frame(struct jsonw *w, struct buf *out, struct span id, const char *type, const char *member)
{
	jsonw_init(w, out);
	jsonw_object(w);
	jsonw_key(w, "id");
	jsonw_str(w, id);
	jsonw_key(w, "type");
	jsonw_cstr(w, type);
	jsonw_key(w, member);
}

void
reply_result(struct buf *out, struct span id, struct span result)
{
	struct jsonw w;

	begin_frame(&w, out, id, "response", "result");
	jsonw_raw(&w, result);
	jsonw_object_end(&w);
}

void
reply_error(struct buf *out, struct span id, const struct reply_error *error)
{
	struct jsonw w;

	begin_frame(&w, out, id, "response", "error");
	write_shape(&w, error, EXTRA_NONE);
	jsonw_object_end(&w);
}

void
reply_error_text(struct buf *out, struct span id, struct span error)
{
	struct jsonw w;

	begin_frame(&w, out, id, "response", "error");
	jsonw_raw(&w, error);
	jsonw_object_end(&w);
}

void
reply_progress(struct buf *out, struct span id, struct span payload)
{
	struct jsonw w;

	begin_frame(&w, out, id, "progress", "payload");
	jsonw_raw(&w, payload);
	jsonw_object_end(&w);
}

void
reply_hello_error(struct buf *out, const struct reply_error *error, bool tells_supported)
{
	struct jsonw w;

	jsonw_init(&w, out);
	jsonw_object(&w);
	jsonw_key(&w, "type");
	jsonw_cstr(&w, "hello-error");
	jsonw_key(&w, "error");
	write_shape(&w, error, tells_supported ? EXTRA_SUPPORTED : EXTRA_NONE);
	jsonw_object_end(&w);
}

void
reply_error_shape(struct jsonw *w, const struct reply_error *error)
{
	write_shape(w, error, EXTRA_NONE);
}
