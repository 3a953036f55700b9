/* A segment that somebody kept by a descriptor. */
#include "support_bus.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

enum { EVENTS = 20 };

static int
set_up(void **state)
{
	struct bus *bus = calloc(1, sizeof(*bus));

	bus_name(bus);
	*state = bus;
	return 0;
}

static int
tear_down(void **state)
{
	struct bus *bus = *state;
	int r;

	segment_close(bus->segment);
	r = segment_unlink(bus->name);
	free(bus);
	return r;
}

/* What a service manager keeps has no claim on the object, and needs no name. */
static void
test_adopted_by_descriptor(void **state)
{
	struct bus *bus = *state;
	struct segment_layout other = bus->layout;
	struct segment *segment;
	char epoch[17];
	int kept, r;

	bus_open(bus, SEGMENT_CREATED);
	bus_publish_many(bus->ring, EVENTS, 10);
	strcpy(epoch, ring_epoch(bus->ring));
	assert_int_equal(segment_reopen(bus->segment, &kept), 0);
	assert_int_equal(segment_adopt(kept, bus->name, &bus->layout, &segment), -EBUSY);
	segment_close(bus->segment);
	assert_int_equal(segment_unlink(bus->name), 0);
	for (int i = 0; i < 2; i++) {
		r = segment_adopt(kept, bus->name, &bus->layout, &bus->segment);
		assert_int_equal(r, 0);
		bus->ring = segment_ring(bus->segment);
		assert_string_equal(ring_epoch(bus->ring), epoch);
		assert_true(ring_head(bus->ring) == EVENTS);
		assert_int_equal(bus_look(bus->ring, EVENTS), RING_RECORD);
		segment_close(bus->segment);
	}
	other.ring_bytes += 4096;
	assert_int_equal(segment_adopt(kept, bus->name, &other, &segment), -ESTALE);
	assert_int_equal(segment_adopt(-1, bus->name, &other, &segment), -ENOENT);
	assert_int_equal(segment_adopt(kept, "none", &other, &segment), -EINVAL);
	assert_int_equal(fchmod(kept, 0660), 0);
	assert_int_equal(segment_adopt(kept, bus->name, &bus->layout, &segment), -EACCES);
	close(kept);
	bus_open(bus, SEGMENT_CREATED);
}

/* Another object that came by the name meanwhile goes, unless it is in use. */
static void
test_adopted_by_descriptor_beside_another(void **state)
{
	struct bus *bus = *state;
	struct segment *kept_segment;
	int kept;

	bus_open(bus, SEGMENT_CREATED);
	assert_int_equal(segment_reopen(bus->segment, &kept), 0);
	segment_close(bus->segment);
	assert_int_equal(segment_adopt(kept, bus->name, &bus->layout, &kept_segment), 0);
	segment_close(kept_segment);
	assert_int_equal(segment_unlink(bus->name), 0);
	bus_open(bus, SEGMENT_CREATED);
	assert_int_equal(segment_adopt(kept, bus->name, &bus->layout, &kept_segment), 0);
	segment_close(kept_segment);
	segment_close(bus->segment);
	bus_open(bus, SEGMENT_ADOPTED);
	segment_close(bus->segment);
	assert_int_equal(segment_adopt(kept, bus->name, &bus->layout, &kept_segment), 0);
	segment_close(kept_segment);
	assert_int_equal(segment_unlink(bus->name), -ENOENT);
	close(kept);
	bus_open(bus, SEGMENT_CREATED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_adopted_by_descriptor, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_adopted_by_descriptor_beside_another, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
