/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fields of the allocation events as their print formats lay them down:
 * include/trace/events/{kmem,vmalloc,percpu}.h, 4.19 - 6.18. Older kernels have kmalloc_node and
 * kmem_cache_alloc_node, decimal pfns, no names of caches, and no call sites of per-CPU events.
 */
#include "import_parse.h"
#include <ctype.h>
#include <kmlab/gfp.h>
#include <kmlab/profile.h>
#include <string.h>

/* The value of "key=value" (or "key: value"), to the next space. */
static struct km_text value_of(struct km_text fields, const char *key)
{
	size_t n = strlen(key);

	while (fields.n) {
		struct km_text word = km_text_word(&fields), value;

		if (!word.n)
			break;
		if (word.n > n && !memcmp(word.at, key, n) && word.at[n] == '=')
			return (struct km_text){word.at + n + 1, word.n - n - 1};
		value = fields;
		if (word.n == n + 1 && !memcmp(word.at, key, n) && word.at[n] == ':')
			return km_text_word(&value);
	}
	return (struct km_text){NULL, 0};
}

static enum km_fields_result bad(struct km_fields *out, const char *why)
{
	out->why = why;
	return KM_FIELDS_BAD;
}

static bool number_of(struct km_text fields, const char *key, uint64_t *value)
{
	return km_text_number(value_of(fields, key), 10, value);
}

/* ---- addresses ---- */

/*
 * %p: a number of 64 bits in any of the ways kernels and tools print it; 0 for "(null)" and
 * "(nil)". False: not an address. Before the kernel has random numbers it prints (____ptrval____).
 */
static bool address_of(struct km_text text, uint64_t *address, bool *hashed)
{
	if (km_text_is(text, "(____ptrval____)") || km_text_is(text, "(__ptrval__)")) {
		*hashed = true;
		return true;
	}
	*address = 0;
	return km_text_is(text, "(null)") || km_text_is(text, "(nil)") ||
	       km_text_number(text, 16, address);
}

/*
 * A hashed address is a random number of 32 bits (lib/vsprintf.c, ptr_to_hashval()); no kernel of
 * 64 bits has its memory there. Up to 16: NULL and ZERO_SIZE_PTR.
 */
static bool is_hashed(uint64_t address)
{
	return address > 16 && address <= UINT32_MAX;
}

/* EVENT, HASHED or BAD. */
static enum km_fields_result read_ptr(struct km_text fields, struct km_fields *out)
{
	bool hashed = false;

	if (!address_of(value_of(fields, "ptr"), &out->event.ptr, &hashed))
		return bad(out, "it has no ptr");
	return hashed || is_hashed(out->event.ptr) ? KM_FIELDS_HASHED : KM_FIELDS_EVENT;
}

/* ---- call sites ---- */

/* "name+0x10/0x400" -> symbol and offset. */
static void read_symbol(struct km_text text, struct km_fields *out)
{
	const char *slash = memchr(text.at, '/', text.n), *plus;
	uint64_t offset = 0;

	if (slash)
		text.n = (size_t)(slash - text.at);
	plus = memchr(text.at, '+', text.n);
	if (plus &&
	    km_text_number((struct km_text){plus + 1, (size_t)(km_text_end(text) - plus) - 1}, 16,
			   &offset))
		text.n = (size_t)(plus - text.at);
	out->symbol = text;
	out->site_offset = (uint32_t)offset;
}

void km_fields_site(struct km_text text, struct km_fields *out)
{
	struct km_text word = km_text_word(&text), module = km_text_word(&text);

	if (!word.n)
		return;
	if (km_text_number(word, 16, &out->site_address))
		return;
	read_symbol(word, out);
	if (module.n < 3 || *module.at != '[')
		return;
	module.at++;
	module.n--;
	if (module.at[module.n - 1] == ']')
		module.n--;
	out->module = module;
}

/* "call_site=…"; trace-cmd's plugin puts "(name+0x10) " before an address. */
static void read_site(struct km_text fields, struct km_fields *out)
{
	struct km_text site = value_of(fields, "call_site"), rest = fields, first;

	if (!site.at)
		return;
	km_fields_site((struct km_text){site.at, (size_t)(km_text_end(fields) - site.at)}, out);
	first = km_text_word(&rest);
	if (out->site_address && first.n > 2 && *first.at == '(' && first.at[first.n - 1] == ')')
		read_symbol((struct km_text){first.at + 1, first.n - 2}, out);
}

/* ---- gfp flags ---- */

static void read_gfp(struct km_text fields, const struct km_profile *profile, struct km_fields *out)
{
	struct km_text flags = value_of(fields, "gfp_flags");

	while (flags.n) {
		const char *bar = memchr(flags.at, '|', flags.n);
		struct km_text flag = {flags.at, bar ? (size_t)(bar - flags.at) : flags.n};
		uint64_t number;
		uint32_t bits;

		if (km_gfp_by_name(flag.at, flag.n, profile, &bits))
			out->event.gfp |= bits;
		else if (flag.n && isdigit((unsigned char)*flag.at) &&
			 km_text_number(flag, 10, &number) && number <= UINT32_MAX)
			out->event.gfp |= (uint32_t)number;
		else if (!km_text_is(flag, "none"))
			out->unknown_flag = flag;
		flags.at += flag.n + (bar != NULL);
		flags.n -= flag.n + (bar != NULL);
	}
}

/* ---- one function per kind of fields ---- */

struct request {
	struct km_text fields;
	const struct km_profile *profile;
	uint8_t kind;
};

static enum km_fields_result parse_object_alloc(const struct request *request,
						struct km_fields *out)
{
	struct km_text fields = request->fields, node = value_of(fields, "node");
	enum km_fields_result result = read_ptr(fields, out);
	uint64_t value;

	if (result != KM_FIELDS_EVENT)
		return result;
	if (!number_of(fields, "bytes_req", &out->event.bytes_req) ||
	    !number_of(fields, "bytes_alloc", &out->event.bytes_alloc))
		return bad(out, "it has no bytes_req and bytes_alloc");
	if (km_text_number(node, 10, &value) && value <= INT16_MAX)
		out->event.node = (int16_t)value;
	read_gfp(fields, request->profile, out);
	read_site(fields, out);
	return KM_FIELDS_EVENT;
}

/* The name may hold spaces: it ends where the sizes begin, or with the line. */
static void read_cache(struct km_text fields, struct km_fields *out)
{
	struct km_text name = value_of(fields, "name");
	const char *end;

	if (!name.at)
		return;
	name.n = (size_t)(km_text_end(fields) - name.at);
	end = memmem(name.at, name.n, " bytes_req=", strlen(" bytes_req="));
	if (end)
		name.n = (size_t)(end - name.at);
	out->cache = km_text_trim(name);
}

static enum km_fields_result parse_cache_alloc(const struct request *request, struct km_fields *out)
{
	read_cache(request->fields, out);
	return parse_object_alloc(request, out);
}

static enum km_fields_result parse_object_free(const struct request *request, struct km_fields *out)
{
	read_site(request->fields, out);
	if (request->kind == KM_EV_CACHE_FREE)
		read_cache(request->fields, out);
	return read_ptr(request->fields, out);
}

/* "page=… pfn=0x145e03" or, before 5.18, "pfn=1334787"; a failure has neither. */
static bool read_pfn(struct km_text fields, uint64_t *pfn)
{
	struct km_text page = value_of(fields, "page");
	uint64_t address = 1;
	bool hashed = false;

	if (!number_of(fields, "pfn", pfn))
		return false;
	if (!*pfn && page.at && address_of(page, &address, &hashed) && !address && !hashed)
		*pfn = UINT64_MAX;
	return true;
}

static bool read_small(struct km_text fields, const char *key, uint8_t *value)
{
	uint64_t wide;

	if (!number_of(fields, key, &wide) || wide > UINT8_MAX)
		return false;
	*value = (uint8_t)wide;
	return true;
}

static enum km_fields_result parse_page(const struct request *request, struct km_fields *out)
{
	bool fallback = request->kind == KM_EV_PAGE_EXTFRAG;
	struct km_event *event = &out->event;
	uint64_t type;

	if (!read_pfn(request->fields, &event->ptr))
		return bad(out, "it has no pfn");
	if (!read_small(request->fields, fallback ? "alloc_order" : "order", &event->order) ||
	    event->order > 32)
		return bad(out, "it has no order, or none that can be");
	read_small(request->fields, fallback ? "alloc_migratetype" : "migratetype",
		   &event->migratetype);
	if (fallback && number_of(request->fields, "fallback_migratetype", &type) &&
	    type <= INT16_MAX)
		event->node = (int16_t)type;
	if (request->kind == KM_EV_PAGE_ALLOC || request->kind == KM_EV_PAGE_FREE)
		event->bytes_req = event->bytes_alloc = KM_PAGE_SIZE << event->order;
	read_gfp(request->fields, request->profile, out);
	return KM_FIELDS_EVENT;
}

static enum km_fields_result parse_vmap(const struct request *request, struct km_fields *out)
{
	struct km_event *event = &out->event;
	uint64_t value;

	switch (request->kind) {
	case KM_EV_VMAP_ALLOC:
		if (!number_of(request->fields, "va_start", &event->ptr) ||
		    !number_of(request->fields, "size", &event->bytes_alloc))
			return bad(out, "it has no va_start and size");
		if (number_of(request->fields, "failed", &value) && value)
			event->ptr = 0;
		return KM_FIELDS_EVENT;
	case KM_EV_VMAP_FREE:
		return number_of(request->fields, "va_start", &event->ptr)
			       ? KM_FIELDS_EVENT
			       : bad(out, "it has no va_start");
	default:
		if (!number_of(request->fields, "start", &event->ptr) ||
		    !number_of(request->fields, "end", &value) || value < event->ptr)
			return bad(out, "it has no start and end");
		event->bytes_alloc = value - event->ptr;
		number_of(request->fields, "num_purged", &event->bytes_req);
		return KM_FIELDS_EVENT;
	}
}

/* Per-CPU pointers may be small numbers: the base address of their chunk tells if they are hashed.
 */
static enum km_fields_result parse_percpu(const struct request *request, struct km_fields *out)
{
	struct km_event *event = &out->event;
	struct km_text ptr = value_of(request->fields, "ptr");
	bool hashed = false;
	uint64_t base = 0;

	/* percpu_alloc_percpu_fail has no address: it failed. */
	if (ptr.at && !address_of(ptr, &event->ptr, &hashed))
		return bad(out, "its ptr is not an address");
	if (address_of(value_of(request->fields, "base_addr"), &base, &hashed) &&
	    (hashed || is_hashed(base)))
		return KM_FIELDS_HASHED;
	if (request->kind == KM_EV_PERCPU_FREE)
		return ptr.at ? KM_FIELDS_EVENT : bad(out, "it has no ptr");
	if (!number_of(request->fields, "size", &event->bytes_req))
		return bad(out, "it has no size");
	if (!number_of(request->fields, "bytes_alloc", &event->bytes_alloc))
		event->bytes_alloc = event->bytes_req;
	read_gfp(request->fields, request->profile, out);
	read_site(request->fields, out);
	return KM_FIELDS_EVENT;
}

typedef enum km_fields_result parse_fn(const struct request *request, struct km_fields *out);

static const struct {
	const char *system, *name;
	uint8_t kind;
	parse_fn *parse; /* NULL: nothing of an object */
} events[] = {
	{"kmem", "kmalloc", KM_EV_KMALLOC, parse_object_alloc},
	{"kmem", "kmalloc_node", KM_EV_KMALLOC, parse_object_alloc},
	{"kmem", "kfree", KM_EV_KFREE, parse_object_free},
	{"kmem", "kmem_cache_alloc", KM_EV_CACHE_ALLOC, parse_cache_alloc},
	{"kmem", "kmem_cache_alloc_node", KM_EV_CACHE_ALLOC, parse_cache_alloc},
	{"kmem", "kmem_cache_free", KM_EV_CACHE_FREE, parse_object_free},
	{"kmem", "mm_page_alloc", KM_EV_PAGE_ALLOC, parse_page},
	{"kmem", "mm_page_free", KM_EV_PAGE_FREE, parse_page},
	{"kmem", "mm_page_alloc_zone_locked", KM_EV_PAGE_ZONE_LOCKED, parse_page},
	{"kmem", "mm_page_pcpu_drain", KM_EV_PAGE_PCPU_DRAIN, parse_page},
	{"kmem", "mm_page_alloc_extfrag", KM_EV_PAGE_EXTFRAG, parse_page},
	{"vmalloc", "alloc_vmap_area", KM_EV_VMAP_ALLOC, parse_vmap},
	{"vmalloc", "free_vmap_area_noflush", KM_EV_VMAP_FREE, parse_vmap},
	{"vmalloc", "purge_vmap_area_lazy", KM_EV_VMAP_PURGE, parse_vmap},
	{"percpu", "percpu_alloc_percpu", KM_EV_PERCPU_ALLOC, parse_percpu},
	{"percpu", "percpu_alloc_percpu_fail", KM_EV_PERCPU_ALLOC, parse_percpu},
	{"percpu", "percpu_free_percpu", KM_EV_PERCPU_FREE, parse_percpu},
	/* mm_page_free fires for the pages of a batch as well. */
	{"kmem", "mm_page_free_batched", 0, NULL},
	{"kmem", "rss_stat", 0, NULL},
	{"kmem", "mm_calculate_totalreserve_pages", 0, NULL},
	{"kmem", "mm_setup_per_zone_lowmem_reserve", 0, NULL},
	{"kmem", "mm_setup_per_zone_wmarks", 0, NULL},
	{"percpu", "percpu_create_chunk", 0, NULL},
	{"percpu", "percpu_destroy_chunk", 0, NULL},
};

/* perf names the system, ftrace does not. */
static bool is_event(struct km_text name, const char *system, const char *event)
{
	struct km_text rest = km_text_after(name, system);

	if (rest.n && *rest.at == ':')
		name = (struct km_text){rest.at + 1, rest.n - 1};
	return km_text_is(name, event);
}

enum km_fields_result km_fields_parse(struct km_text event, struct km_text fields,
				      const struct km_profile *profile, struct km_fields *out)
{
	*out = (struct km_fields){.event.node = -1};
	for (size_t i = 0; i < sizeof(events) / sizeof(*events); i++) {
		struct request request = {fields, profile, events[i].kind};

		if (!is_event(event, events[i].system, events[i].name))
			continue;
		if (!events[i].parse)
			return KM_FIELDS_OTHER;
		out->event.kind = events[i].kind;
		return events[i].parse(&request, out);
	}
	return KM_FIELDS_UNKNOWN;
}
