/*
 * Where requests for providers' methods can go: this worker's own copy of the directory of providers, with an
 * index over it. It is read again when the directory's generation has moved.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/span.h"
#include "bus/providers.h"
#include "bus/seats.h"

struct gateway;
struct jsonw;
struct routes;

enum { ROUTES_NONE = 0xffff };

/* An empty one; NULL without memory. */
struct routes *routes_new(void);
void routes_free(struct routes *routes);

/* Whether the directory has changed since it was read last. */
bool routes_is_stale(const struct gateway *gateway);

/*
 * Reads the directory, and announces what this worker is the first to find: gateway.methods, channel.connected,
 * channel.disconnected. What the functions below returned before is void then. Returns 0, or -ETIMEDOUT,
 * -ENOTRECOVERABLE and changes nothing.
 */
int routes_read(struct gateway *gateway) must_check;

/* The place of a method, or ROUTES_NONE when no provider has it. */
unsigned routes_find(const struct routes *routes, struct span method);

/* The providers of a method: their places in the copy, in routes_copy()->providers, and where they have seats. */
unsigned routes_providers(const struct routes *routes, unsigned method, const uint16_t **ret);
const struct seats_place *routes_places(const struct routes *routes, unsigned method);

/*
 * Which of the method's providers serves a session: the number of one in routes_providers. The same for all
 * workers, and while that provider lives others that come and go change it for few sessions
 * (rendezvous hashing).
 */
unsigned routes_pick(const struct routes *routes, unsigned method, struct span session_key);

/* The copy itself. Methods with change PROVIDERS_REMOVED are not there any more; so it is with channels. */
const struct providers_copy *routes_copy(const struct routes *routes);

/* The provider of this connection, or NULL. */
const struct providers_provider *routes_provider(const struct routes *routes, uint32_t conn_id);

/* The i-th method in the order of names (i < routes_methods_count): its place. */
unsigned routes_methods_count(const struct routes *routes);
unsigned routes_in_order(const struct routes *routes, unsigned i);
struct span routes_method_name(const struct routes *routes, unsigned method);

/* Writes the names of a provider's methods as an array. */
void routes_write_methods(
    const struct routes *routes, const struct providers_provider *provider, struct jsonw *out);

/* Writes the channels as an array of {id, provider, connectedAt}. */
void routes_write_channels(const struct routes *routes, struct jsonw *out);
