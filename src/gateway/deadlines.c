/*
 * Lists ordered by deadline without sorting: within a kind the length is the same for all, so the
 * order of setting is the order of passing.
 */
#include "gateway/deadlines.h"

#include "base/alloc.h"

struct deadlines {
	struct list due[DEADLINE_KINDS];
	uint32_t length_ms[DEADLINE_KINDS];
	deadline_fn on_expired;
};

struct deadlines *
deadlines_new(const uint32_t *length_ms, deadline_fn on_expired)
{
	struct deadlines *deadlines = mem_zalloc(sizeof(*deadlines));

	if (deadlines == NULL)
		return NULL;
	for (unsigned kind = 0; kind < DEADLINE_KINDS; kind++) {
		list_init(&deadlines->due[kind]);
		deadlines->length_ms[kind] = length_ms[kind];
	}
	deadlines->on_expired = on_expired;
	return deadlines;
}

void
deadlines_free(struct deadlines *deadlines)
{
	mem_free(deadlines);
}

void
deadline_init(struct deadline *deadline)
{
	list_init(&deadline->link);
	deadline->at_ms = 0;
	deadline->kind = DEADLINE_KINDS;
}

void
deadline_set(struct deadlines *deadlines, struct deadline *deadline, enum deadline_kind kind,
    uint64_t now_ms)
{
	list_remove(&deadline->link);
	deadline->kind = kind;
	deadline->at_ms = now_ms + deadlines->length_ms[kind];
	list_append(&deadlines->due[kind], &deadline->link);
}

void
deadline_clear(struct deadline *deadline)
{
	list_remove(&deadline->link);
}

/* All of a kind move by as much, so the order stays. */
static void
change_kind(struct deadlines *deadlines, enum deadline_kind kind, uint32_t length_ms)
{
	uint32_t before_ms = deadlines->length_ms[kind];
	struct list *at;

	if (length_ms == before_ms)
		return;
	deadlines->length_ms[kind] = length_ms;
	LIST_FOREACH (at, &deadlines->due[kind]) {
		struct deadline *deadline = container_of(at, struct deadline, link);

		deadline->at_ms = deadline->at_ms - before_ms + length_ms;
	}
}

void
deadlines_change(struct deadlines *deadlines, const uint32_t *length_ms)
{
	for (unsigned kind = 0; kind < DEADLINE_KINDS; kind++)
		change_kind(deadlines, (enum deadline_kind)kind, length_ms[kind]);
}

static void
expire_kind(struct deadlines *deadlines, enum deadline_kind kind, uint64_t now_ms)
{
	struct list *first;

	while ((first = list_first(&deadlines->due[kind])) != NULL) {
		struct deadline *deadline = container_of(first, struct deadline, link);

		if (deadline->at_ms > now_ms)
			return;
		list_remove(first);
		deadlines->on_expired(deadline);
	}
}

void
deadlines_expire(struct deadlines *deadlines, uint64_t now_ms)
{
	for (unsigned kind = 0; kind < DEADLINE_KINDS; kind++)
		expire_kind(deadlines, (enum deadline_kind)kind, now_ms);
}
