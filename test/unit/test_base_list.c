/*
 * The intrusive list.
 */
#include "support_cmocka.h"

#include "base/list.h"
#include "base/macros.h"

struct item {
	int value;
	struct list link;
};

/* The values in order as one decimal number; walks backwards too and compares. */
static int
digits_of(struct list *head)
{
	struct list *l;
	int forward = 0, backward = 0, weight = 1;

	LIST_FOREACH (l, head)
		forward = forward * 10 + container_of(l, struct item, link)->value;
	for (l = head->prev; l != head; l = l->prev) {
		backward += weight * container_of(l, struct item, link)->value;
		weight *= 10;
	}
	assert_int_equal(forward, backward);
	return forward;
}

static void
test_order(void **state)
{
	struct item a = { .value = 1 }, b = { .value = 2 }, c = { .value = 3 };
	struct list head;

	(void)state;
	list_init(&head);
	assert_true(list_is_empty(&head));
	assert_null(list_first(&head));
	assert_null(list_last(&head));
	list_append(&head, &a.link);
	list_append(&head, &b.link);
	list_prepend(&head, &c.link);
	assert_int_equal(digits_of(&head), 312);
	assert_ptr_equal(list_first(&head), &c.link);
	assert_ptr_equal(list_last(&head), &b.link);
	list_remove(&a.link);
	assert_int_equal(digits_of(&head), 32);
	assert_true(list_is_empty(&a.link));
	list_remove(&a.link);
	list_append(&head, &a.link);
	assert_int_equal(digits_of(&head), 321);
}

static void
test_removal_while_walking(void **state)
{
	struct item items[9];
	struct list head, *l, *next;

	(void)state;
	list_init(&head);
	for (int i = 0; i < 9; i++) {
		items[i].value = i + 1;
		list_append(&head, &items[i].link);
	}
	LIST_FOREACH_SAFE (l, next, &head) {
		if (container_of(l, struct item, link)->value % 2 == 0)
			list_remove(l);
	}
	assert_int_equal(digits_of(&head), 13579);
	LIST_FOREACH_SAFE (l, next, &head)
		list_remove(l);
	assert_true(list_is_empty(&head));
}

static void
test_all_of_another(void **state)
{
	struct item a = { .value = 1 }, b = { .value = 2 }, c = { .value = 3 }, d = { .value = 4 };
	struct list head, other;

	(void)state;
	list_init(&head);
	list_init(&other);
	list_append_all(&head, &other);
	assert_true(list_is_empty(&head) && list_is_empty(&other));
	list_append(&other, &a.link);
	list_append(&other, &b.link);
	list_append_all(&head, &other);
	assert_true(list_is_empty(&other));
	assert_int_equal(digits_of(&head), 12);
	list_append(&other, &c.link);
	list_append(&other, &d.link);
	list_append_all(&head, &other);
	assert_int_equal(digits_of(&head), 1234);
	list_append_all(&head, &other);
	assert_int_equal(digits_of(&head), 1234);
	list_remove(&c.link);
	assert_int_equal(digits_of(&head), 124);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_removal_while_walking),
		cmocka_unit_test(test_all_of_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
