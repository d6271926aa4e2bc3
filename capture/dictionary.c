/* SPDX-License-Identifier: GPL-2.0-only */
#include "dictionary.h"

#include <errno.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>

#include "slab_table.h"

#define SITE_SLOTS 8192 /* remembered by hash; others are searched for */

struct cache_entry {
	uint64_t address;
	struct km_trace_cache cache;
};

struct stack_entry {
	uint32_t count;
	uint64_t frames[]; /* return addresses, innermost first */
};

struct site_slot {
	uint64_t address;
	uint32_t id;
};

struct km_names {
	uint64_t *sites; /* addresses by id */
	uint32_t nr_sites;
	struct cache_entry *caches; /* of id - 1 */
	uint32_t nr_caches;
	struct km_trace_task *tasks; /* by id */
	uint32_t nr_tasks;
	struct stack_entry **stacks; /* by id; an entry stays as it is as long as the dictionary */
	uint32_t nr_stacks;
};

struct km_dictionary {
	const struct km_recorder *recorder;
	struct km_trace_writer *writer; /* NULL: none now */
	struct km_slab_table *slabs;
	uint32_t account_flag;
	struct km_names all;
	uint32_t site_room;
	uint32_t *site_index; /* open addressing: ids; twice site_room */
	struct site_slot recent[SITE_SLOTS];
	uint64_t unnamed;
	uint32_t task_room;
	uint32_t *task_index;  /* as site_index */
	uint32_t *stack_ids;   /* by number in the kernel's map */
	uint32_t *stack_index; /* as site_index, of twice as many as that map holds */
};

/* ---- growing ---- */

static uint64_t mix(uint64_t value)
{
	return value * 0x9e3779b97f4a7c15ull;
}

static uint64_t task_hash(const struct km_trace_task *task)
{
	uint64_t comm[2];

	memcpy(comm, task->comm, sizeof(comm));
	return mix(comm[0] ^ (comm[1] << 1 | comm[1] >> 63) ^ task->tid ^
		   (uint64_t)task->tgid << 32 ^ task->cgroup << 16);
}

static bool same_task(const struct km_trace_task *a, const struct km_trace_task *b)
{
	return a->tid == b->tid && a->tgid == b->tgid && a->cgroup == b->cgroup &&
	       memcmp(a->comm, b->comm, sizeof(a->comm)) == 0;
}

/* The place of a site or task in its index: where it is, or where it would go. */
static uint32_t *site_place(const struct km_dictionary *dictionary, uint64_t address)
{
	uint32_t mask = 2 * dictionary->site_room - 1, at = (uint32_t)(mix(address) >> 32) & mask;

	while (dictionary->site_index[at] &&
	       dictionary->all.sites[dictionary->site_index[at]] != address)
		at = (at + 1) & mask;
	return &dictionary->site_index[at];
}

static uint32_t *task_place(const struct km_dictionary *dictionary,
			    const struct km_trace_task *task)
{
	uint32_t mask = 2 * dictionary->task_room - 1;
	uint32_t at = (uint32_t)(task_hash(task) >> 32) & mask;

	while (dictionary->task_index[at] &&
	       !same_task(&dictionary->all.tasks[dictionary->task_index[at]], task))
		at = (at + 1) & mask;
	return &dictionary->task_index[at];
}

/* Room for one more, in a table that doubles; *index is made anew, empty. */
static int make_room(void **table, size_t entry, uint32_t *room, uint32_t **index)
{
	uint32_t wanted = *room ? *room * 2 : 1024;
	void *grown = reallocarray(*table, wanted, entry);
	uint32_t *fresh;

	if (!grown)
		return -ENOMEM;
	*table = grown;
	fresh = calloc((size_t)wanted * 2, sizeof(*fresh));
	if (!fresh)
		return -ENOMEM;
	free(*index);
	*index = fresh;
	*room = wanted;
	return 0;
}

static int room_for_site(struct km_dictionary *dictionary)
{
	if (dictionary->all.nr_sites < dictionary->site_room)
		return 0;
	if (make_room((void **)&dictionary->all.sites, sizeof(*dictionary->all.sites),
		      &dictionary->site_room, &dictionary->site_index))
		return -ENOMEM;
	for (uint32_t id = 1; id < dictionary->all.nr_sites; id++)
		*site_place(dictionary, dictionary->all.sites[id]) = id;
	return 0;
}

static int room_for_task(struct km_dictionary *dictionary)
{
	if (dictionary->all.nr_tasks < dictionary->task_room)
		return 0;
	if (make_room((void **)&dictionary->all.tasks, sizeof(*dictionary->all.tasks),
		      &dictionary->task_room, &dictionary->task_index))
		return -ENOMEM;
	for (uint32_t id = 1; id < dictionary->all.nr_tasks; id++)
		*task_place(dictionary, &dictionary->all.tasks[id]) = id;
	return 0;
}

/* ---- sites ---- */

static uint32_t new_site(struct km_dictionary *dictionary, uint64_t address)
{
	uint32_t *place;

	if (room_for_site(dictionary))
		return 0;
	place = site_place(dictionary, address);
	if (*place)
		return *place;
	*place = dictionary->all.nr_sites++;
	dictionary->all.sites[*place] = address;
	if (dictionary->writer)
		km_trace_site_id(dictionary->writer, address);
	return *place;
}

uint32_t km_dictionary_site(struct km_dictionary *dictionary, uint64_t address)
{
	struct site_slot *slot = &dictionary->recent[mix(address) >> 32 & (SITE_SLOTS - 1)];

	if (!address)
		return 0;
	if (slot->address != address) {
		slot->id = new_site(dictionary, address);
		slot->address = address;
	}
	return slot->id;
}

/* ---- stacks ---- */

static uint32_t new_stack(struct km_dictionary *dictionary, const uint64_t *frames, uint32_t count)
{
	struct stack_entry **stacks, *stack;

	stacks = reallocarray(dictionary->all.stacks, dictionary->all.nr_stacks + 1,
			      sizeof(*stacks));
	stack = malloc(sizeof(*stack) + count * sizeof(*frames));
	if (stacks)
		dictionary->all.stacks = stacks;
	if (!stacks || !stack) {
		free(stack);
		return 0;
	}
	stack->count = count;
	memcpy(stack->frames, frames, count * sizeof(*frames));
	stacks[dictionary->all.nr_stacks] = stack;
	/* Its frames become sites of the trace: ours too, before, so that the numbers agree. */
	for (uint32_t i = 0; i < count; i++)
		km_dictionary_site(dictionary, frames[i]);
	if (dictionary->writer)
		km_trace_stack_id(dictionary->writer, frames, count);
	return dictionary->all.nr_stacks++;
}

static bool same_stack(const struct stack_entry *stack, const uint64_t *frames, uint32_t count)
{
	return stack->count == count && memcmp(stack->frames, frames, count * sizeof(*frames)) == 0;
}

/* As site_place(). One that ends as another, but begins elsewhere in the tracing code, is the same.
 */
static uint32_t *stack_place(const struct km_dictionary *dictionary, const uint64_t *frames,
			     uint32_t count)
{
	uint32_t mask = 2 * KM_STACKS - 1, at;
	uint64_t hash = 0;

	for (uint32_t i = 0; i < count; i++)
		hash = mix(hash ^ frames[i]);
	at = (uint32_t)(hash >> 32) & mask;
	while (dictionary->stack_index[at] &&
	       !same_stack(dictionary->all.stacks[dictionary->stack_index[at]], frames, count))
		at = (at + 1) & mask;
	return &dictionary->stack_index[at];
}

uint32_t km_dictionary_stack(struct km_dictionary *dictionary, uint32_t number, uint64_t address)
{
	uint64_t frames[KM_STACK_FRAMES] = {0};
	uint32_t from = 0, count = 0, *place;

	if (dictionary->stack_ids[number])
		return dictionary->stack_ids[number];
	if (km_recorder_stack(dictionary->recorder, number, frames))
		return 0;
	while (count < KM_STACK_FRAMES && frames[count])
		count++;
	/* It begins in the tracing code: leave out what lies above the call site, if that is in it.
	 */
	for (uint32_t i = 0; i < count && !from; i++)
		if (frames[i] == address)
			from = i;
	if (from == count)
		return 0;
	place = stack_place(dictionary, frames + from, count - from);
	if (!*place)
		*place = new_stack(dictionary, frames + from, count - from);
	dictionary->stack_ids[number] = *place;
	return *place;
}

/* ---- caches ---- */

static void describe_cache(const struct km_dictionary *dictionary,
			   const struct km_cache_facts *facts, struct km_trace_cache *cache)
{
	memset(cache, 0, sizeof(*cache));
	memcpy(cache->name, facts->name, sizeof(cache->name));
	cache->name[sizeof(cache->name) - 1] = '\0';
	cache->object_size = facts->object_size;
	cache->size = facts->size;
	cache->align = facts->align;
	cache->flags = facts->flags;
	cache->order = facts->oo >> 16;
	cache->objects_per_slab = facts->oo & 0xffff;
	cache->min_partial = facts->min_partial;
	cache->cpu_partial = facts->cpu_partial;
	cache->sheaf_capacity = facts->sheaf_capacity;
	cache->has_ctor = facts->has_ctor != 0;
	cache->account = (facts->flags & dictionary->account_flag) != 0;
	km_slab_table_fill(dictionary->slabs, cache);
}

static int define_cache(struct km_trace_writer *writer, const struct km_trace_cache *cache,
			struct km_err *err)
{
	struct km_trace_cache copy = *cache;
	int ret;

	copy.id = 0;
	ret = writer ? km_trace_define_cache(writer, &copy, err) : 0;
	if (!ret && writer && copy.id != cache->id)
		return km_fail(err, -EINVAL, "cache %s got another number", cache->name);
	return ret;
}

uint32_t km_dictionary_find_cache(const struct km_dictionary *dictionary, uint64_t address)
{
	uint32_t i = dictionary->all.nr_caches;

	while (i > 0 && dictionary->all.caches[i - 1].address != address)
		i--;
	return i ? dictionary->all.caches[i - 1].cache.id : 0;
}

/* A new cache may live where a destroyed one did: then it gets a number of its own. */
int km_dictionary_cache(struct km_dictionary *dictionary, const struct km_cache_facts *facts,
			const struct km_trace_cache **cache, struct km_err *err)
{
	uint32_t i = km_dictionary_find_cache(dictionary, facts->cache);
	struct cache_entry *entry;

	if (i > 0 && strncmp(dictionary->all.caches[i - 1].cache.name, facts->name, 63) == 0 &&
	    dictionary->all.caches[i - 1].cache.size == facts->size) {
		*cache = &dictionary->all.caches[i - 1].cache;
		return 0;
	}
	entry = reallocarray(dictionary->all.caches, dictionary->all.nr_caches + 1, sizeof(*entry));
	if (!entry)
		return km_fail(err, -ENOMEM, "no memory to remember the kernel's caches");
	dictionary->all.caches = entry;
	entry += dictionary->all.nr_caches++;
	entry->address = facts->cache;
	describe_cache(dictionary, facts, &entry->cache);
	entry->cache.id = dictionary->all.nr_caches;
	*cache = &entry->cache;
	return define_cache(dictionary->writer, &entry->cache, err);
}

/* ---- tasks ---- */

static int define_task(struct km_trace_writer *writer, const struct km_trace_task *task,
		       struct km_err *err)
{
	struct km_trace_task copy = *task;
	int ret;

	copy.id = 0;
	ret = writer ? km_trace_define_task(writer, &copy, err) : 0;
	if (!ret && writer && copy.id != task->id)
		return km_fail(err, -EINVAL, "task %s got another number", task->comm);
	return ret;
}

/* A task that changes its name (exec) or cgroup is a new entry: events before keep the old one. */
int km_dictionary_task(struct km_dictionary *dictionary, const struct km_record_task *record,
		       uint32_t *id, struct km_err *err)
{
	struct km_trace_task task = {
		.tid = record->tid, .tgid = record->tgid, .cgroup = record->cgroup};
	uint32_t *place;

	if (room_for_task(dictionary))
		return km_fail(err, -ENOMEM, "no memory to remember the kernel's tasks");
	memcpy(task.comm, record->comm, sizeof(task.comm));
	place = task_place(dictionary, &task);
	*id = *place;
	if (*place)
		return 0;
	if (dictionary->all.nr_tasks >= KM_TASKS) {
		dictionary->unnamed++;
		return 0;
	}
	*id = *place = task.id = dictionary->all.nr_tasks++;
	dictionary->all.tasks[task.id] = task;
	return define_task(dictionary->writer, &task, err);
}

uint64_t km_dictionary_unnamed(const struct km_dictionary *dictionary)
{
	return dictionary->unnamed;
}

/* ---- cgroups: their ids are the inode numbers of their directories ---- */

static __thread struct {
	const struct km_names *names;
	struct km_trace_writer *writer;
	struct km_err *err;
} naming; /* nftw(3) passes nothing on */

static bool cgroup_used(const struct km_names *names, uint64_t id)
{
	for (uint32_t task = 1; task < names->nr_tasks; task++)
		if (names->tasks[task].cgroup == id)
			return true;
	return false;
}

#define CGROUP_ROOT "/sys/fs/cgroup"

static int name_cgroup(const char *path, const struct stat *status, int type, struct FTW *where)
{
	const char *relative = path + strlen(CGROUP_ROOT);

	(void)where;
	if (type != FTW_D || !cgroup_used(naming.names, status->st_ino))
		return 0;
	return km_trace_define_cgroup(naming.writer, status->st_ino, *relative ? relative : "/",
				      naming.err);
}

int km_names_cgroups(const struct km_names *names, struct km_trace_writer *writer,
		     struct km_err *err)
{
	int ret;

	naming.names = names;
	naming.writer = writer;
	naming.err = err;
	ret = nftw(CGROUP_ROOT, name_cgroup, 16, FTW_PHYS);
	return ret < -1 ? ret : 0; /* -1: there is no such directory */
}

/* ---- all of it ---- */

/* What `names` has and `defined` has not. */
static int define_more(const struct km_names *names, const struct km_names *defined,
		       struct km_trace_writer *writer, struct km_err *err)
{
	int ret = 0;

	for (uint32_t id = defined->nr_sites; id < names->nr_sites; id++)
		if (km_trace_site_id(writer, names->sites[id]) != id)
			return km_fail(err, -ENOMEM, "no memory for the call sites of a new trace");
	for (uint32_t i = defined->nr_caches; !ret && i < names->nr_caches; i++)
		ret = define_cache(writer, &names->caches[i].cache, err);
	for (uint32_t id = defined->nr_tasks; !ret && id < names->nr_tasks; id++)
		ret = define_task(writer, &names->tasks[id], err);
	for (uint32_t id = defined->nr_stacks; !ret && id < names->nr_stacks; id++)
		if (km_trace_stack_id(writer, names->stacks[id]->frames,
				      names->stacks[id]->count) != id)
			ret = km_fail(err, -ENOMEM, "no memory for the stacks of a new trace");
	return ret;
}

static const struct km_names unknown = {.nr_sites = 1, .nr_tasks = 1, .nr_stacks = 1};

int km_names_define(const struct km_names *names, struct km_trace_writer *writer,
		    struct km_err *err)
{
	return define_more(names, &unknown, writer, err);
}

int km_dictionary_attach(struct km_dictionary *dictionary, struct km_trace_writer *writer,
			 const struct km_names *defined, struct km_err *err)
{
	dictionary->writer = writer;
	return writer ? define_more(&dictionary->all, defined ? defined : &unknown, writer, err)
		      : 0;
}

static void *copy(const void *table, size_t entry, uint32_t count)
{
	void *made = calloc((size_t)count + 1, entry);

	if (made && count)
		memcpy(made, table, entry * count);
	return made;
}

struct km_names *km_dictionary_names(const struct km_dictionary *dictionary)
{
	const struct km_names *all = &dictionary->all;
	struct km_names *names = malloc(sizeof(*names));

	if (!names)
		return NULL;
	*names = *all;
	names->sites = copy(all->sites, sizeof(*all->sites), all->nr_sites);
	names->caches = copy(all->caches, sizeof(*all->caches), all->nr_caches);
	names->tasks = copy(all->tasks, sizeof(*all->tasks), all->nr_tasks);
	/* There is no stack of number 0, nor a table before the first. */
	names->stacks = copy(all->stacks, sizeof(*all->stacks), all->stacks ? all->nr_stacks : 0);
	if (names->sites && names->caches && names->tasks && names->stacks)
		return names;
	km_names_free(names);
	return NULL;
}

void km_names_free(struct km_names *names)
{
	if (!names)
		return;
	free(names->sites);
	free(names->caches);
	free(names->tasks);
	free(names->stacks);
	free(names);
}

struct km_chunk_limits km_names_limits(const struct km_names *names)
{
	return (struct km_chunk_limits){.sites = names->nr_sites,
					.tasks = names->nr_tasks,
					.caches = names->nr_caches + 1,
					.stacks = names->nr_stacks};
}

struct km_chunk_limits km_dictionary_limits(const struct km_dictionary *dictionary)
{
	return km_names_limits(&dictionary->all);
}

int km_dictionary_open(const struct km_recorder *recorder, struct km_dictionary **result,
		       struct km_err *err)
{
	struct km_dictionary *dictionary = calloc(1, sizeof(*dictionary));
	int64_t bit;

	if (!dictionary)
		return km_fail(err, -ENOMEM, "no memory for the names of what is recorded");
	dictionary->recorder = recorder;
	dictionary->stack_ids = calloc(KM_STACKS, sizeof(*dictionary->stack_ids));
	dictionary->stack_index = calloc(2 * KM_STACKS, sizeof(*dictionary->stack_index));
	if (!dictionary->stack_ids || !dictionary->stack_index || room_for_site(dictionary) ||
	    room_for_task(dictionary) || km_slab_table_read(&dictionary->slabs)) {
		km_dictionary_close(dictionary);
		return km_fail(err, -ENOMEM, "no memory for the names of what is recorded");
	}
	dictionary->all.nr_sites = dictionary->all.nr_tasks = dictionary->all.nr_stacks = 1;
	/* An enumerator since 6.8; before, a macro of this value (include/linux/slab.h, 6.1). */
	dictionary->account_flag =
		km_btf_enumerator(km_recorder_btf(recorder), "_SLAB_ACCOUNT", &bit) ? 0x04000000
										    : 1u << bit;
	*result = dictionary;
	return 0;
}

void km_dictionary_close(struct km_dictionary *dictionary)
{
	if (!dictionary)
		return;
	km_slab_table_free(dictionary->slabs);
	for (uint32_t id = 1; id < dictionary->all.nr_stacks; id++)
		free(dictionary->all.stacks[id]);
	free(dictionary->all.stacks);
	free(dictionary->stack_ids);
	free(dictionary->stack_index);
	free(dictionary->all.sites);
	free(dictionary->site_index);
	free(dictionary->all.caches);
	free(dictionary->all.tasks);
	free(dictionary->task_index);
	free(dictionary);
}
