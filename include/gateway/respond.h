/*
 * Responses of plain HTTP: all that the gateway answers to a request leaves through here.
 */
#pragma once

#include "base/span.h"
#include "bus/visitors.h"
#include "gateway/auth.h"
#include "proto/reply.h"

struct connection;
struct http_fault;
struct http_head;

/* What follows a response, and whether its body is left out; flags. */
enum respond_after {
	RESPOND_CLOSE = 0,
	RESPOND_KEEP_ALIVE = 1,
	RESPOND_HEAD_ONLY = 2, /* the request was HEAD */
};

/* What may follow the answer to this request once its body, if it has one, was read. */
enum respond_after respond_after_of(
    const struct connection *connection, const struct http_head *head);

/*
 * Queues a whole response.  `type` may be NULL; `lines` are complete field lines, or "".  Without
 * RESPOND_KEEP_ALIVE the connection ends behind it.  Where gateway.allowed_origin is set, a browser is
 * told that this Origin may read it.
 */
void respond(struct connection *connection, int status, const char *type, struct span body,
    const char *lines, enum respond_after after);

/*
 * The same with {"error":{"code","message","details"?}} as the body, and Retry-After where the error tells
 * a time.
 */
void respond_error_shape(struct connection *connection, int status, const struct reply_error *error,
    const char *lines, enum respond_after after);

/* The same for an error that has nothing but a sentence. */
void respond_error(struct connection *connection, int status, enum error_code code,
    const char *message, const char *lines, enum respond_after after);

/* The same for one that has a reason, too. */
void respond_refusal(struct connection *connection, int status, enum error_code code,
    const char *reason, const char *message, enum respond_after after);

/* Whom authentication turned away (PROTOCOL section 9). */
void respond_unauthorized(
    struct connection *connection, enum auth_verdict verdict, enum respond_after after);

/* What is wrong with the bytes of the request; logged and counted as a bad opening. */
void respond_fault(
    struct connection *connection, const struct http_fault *fault, enum respond_after after);

/* 429, and the end: too many connections of one address. */
void respond_crowded(struct connection *connection, const char *sentence);

/*
 * Answers 503 to a connection that is one too many, without waiting for its request, and closes it.
 */
void respond_full(struct connection *connection);

/*
 * The same with 429, for one that is one too many of its address. When there are very many of them,
 * they are ended without an answer.
 */
void respond_crowd(struct connection *connection, enum visitors_verdict verdict);

/*
 * Appends the head of a 200 whose body goes on for as long as the connection, and counts it; what follows is
 * the caller's to queue behind it.
 */
void respond_open_write(
    struct connection *connection, struct buf *out, const char *type, const char *lines);

/* Counts a response of that status, where it was written elsewhere. */
void respond_count(struct connection *connection, int status);
