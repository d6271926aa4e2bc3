/* SPDX-License-Identifier: GPL-2.0-only */
/* malloc, free and aligned_alloc of a library behind the ops table of a slab layer. */
#include "replay/malloc_model.h"

#include <dlfcn.h>
#include <errno.h>
#include <kmlab/machine.h>
#include <stdlib.h>
#include <string.h>

/* Its own malloc, not the program's, serves what a library calls itself; sanitizers refuse that. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LOAD_FLAGS (RTLD_NOW | RTLD_LOCAL)
#else
#define LOAD_FLAGS (RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND)
#endif

/* What malloc() aligns to without being asked. */
#define NATURAL_ALIGN 16u

struct library {
	struct km_model model; /* first: a machine's model is its library */
	struct library *next;
	void *(*malloc)(size_t bytes);
	void *(*aligned_alloc)(size_t align, size_t bytes);
	void (*free)(void *memory);
	char name[];
};

static struct library *libraries;

struct malloc_cache {
	struct malloc_cache *next;
	size_t bytes, align; /* align 0: the natural one */
};

struct malloc_layer {
	const struct library *library;
	struct km_machine *machine;
	struct malloc_cache *caches;
};

static int layer_create(struct km_machine *machine, void **self)
{
	struct malloc_layer *layer = km_env_alloc(machine->env, sizeof(*layer));

	if (!layer)
		return -ENOMEM;
	layer->library = (const struct library *)machine->model;
	layer->machine = machine;
	*self = layer;
	return 0;
}

static void layer_destroy(void *self)
{
	struct malloc_layer *layer = self;
	struct km_env *env = layer->machine->env;

	while (layer->caches) {
		struct malloc_cache *cache = layer->caches;

		layer->caches = cache->next;
		km_env_release(env, cache, sizeof(*cache));
	}
	km_env_release(env, layer, sizeof(*layer));
}

static void *layer_cache_create(void *self, const struct km_cache_spec *spec)
{
	struct malloc_layer *layer = self;
	struct malloc_cache *cache = km_env_alloc(layer->machine->env, sizeof(*cache));

	if (!cache)
		return NULL;
	cache->bytes = spec->object_size;
	/* aligned_alloc() takes powers of two, and sizes that are multiples of them. */
	if (spec->align > NATURAL_ALIGN && !(spec->align & (spec->align - 1))) {
		cache->align = spec->align;
		cache->bytes = km_round_up(cache->bytes, cache->align);
	}
	cache->next = layer->caches;
	layer->caches = cache;
	return cache;
}

static uint64_t layer_alloc(void *self, void *handle, unsigned cpu, uint32_t gfp, int node)
{
	const struct malloc_layer *layer = self;
	const struct malloc_cache *cache = handle;

	(void)cpu, (void)gfp, (void)node;
	return (uintptr_t)(cache->align ? layer->library->aligned_alloc(cache->align, cache->bytes)
					: layer->library->malloc(cache->bytes));
}

static int layer_free(void *self, unsigned cpu, uint64_t addr)
{
	(void)cpu;
	((const struct malloc_layer *)self)->library->free((void *)(uintptr_t)addr);
	return 0;
}

static void *layer_cache_of(void *self, uint64_t addr)
{
	(void)self, (void)addr;
	return NULL;
}

static int layer_cache_info(void *self, void *cache, struct km_cache_info *info)
{
	(void)self, (void)cache, (void)info;
	return -ENOENT;
}

static void layer_usage(void *self, uint64_t *slab_pages, uint64_t *live_bytes)
{
	(void)self;
	*slab_pages = *live_bytes = 0;
}

static int layer_validate(void *self)
{
	(void)self;
	return 0;
}

static uint64_t layer_kmalloc_max(const struct km_machine *machine)
{
	(void)machine;
	return UINT64_MAX;
}

static uint64_t layer_kmalloc(void *self, unsigned cpu, uint64_t bytes, uint32_t gfp, int node)
{
	(void)cpu, (void)gfp, (void)node;
	return (uintptr_t)((const struct malloc_layer *)self)->library->malloc(bytes);
}

/* Where the size is known beforehand: malloc() of just so many bytes. */
static void *layer_kmalloc_cache(void *self, uint64_t bytes, uint32_t gfp)
{
	const struct km_cache_spec spec = {.object_size = (uint32_t)bytes};

	(void)gfp;
	return bytes <= UINT32_MAX ? layer_cache_create(self, &spec) : NULL;
}

static uint64_t layer_kmalloc_bytes(void *self, uint64_t bytes)
{
	(void)self;
	return bytes;
}

static uint64_t layer_ksize(void *self, uint64_t addr)
{
	(void)self, (void)addr;
	return 0;
}

KM_SLAB_RUN(layer_run, layer_alloc, layer_free, 0)

static const struct km_slab_ops malloc_slab_ops = {
	.name = "malloc",
	.create = layer_create,
	.destroy = layer_destroy,
	.cache_create = layer_cache_create,
	.alloc = layer_alloc,
	.free = layer_free,
	.run = layer_run,
	.cache_of = layer_cache_of,
	.cache_info = layer_cache_info,
	.usage = layer_usage,
	.validate = layer_validate,
	.kmalloc_max = layer_kmalloc_max,
	.kmalloc_cache = layer_kmalloc_cache,
	.kmalloc = layer_kmalloc,
	.kmalloc_bytes = layer_kmalloc_bytes,
	.ksize = layer_ksize,
};

static int load(struct library *library, struct km_err *err)
{
	/* dlopen("") is the program itself. */
	void *handle = library->name[0] ? dlopen(library->name, LOAD_FLAGS) : NULL;

	if (!library->name[0])
		return km_fail(err, -EINVAL,
			       "model 'malloc' needs a library; write "
			       "'malloc:libjemalloc.so.2'");
	if (!handle)
		return km_fail(err, -ENOENT,
			       "%s; install the library, or where its thread-local memory does not "
			       "fit set GLIBC_TUNABLES=glibc.rtld.optional_static_tls=32768",
			       dlerror());
	library->malloc = (void *(*)(size_t))dlsym(handle, "malloc");
	library->aligned_alloc = (void *(*)(size_t, size_t))dlsym(handle, "aligned_alloc");
	library->free = (void (*)(void *))dlsym(handle, "free");
	if (library->malloc && library->aligned_alloc && library->free)
		return 0;
	dlclose(handle);
	return km_fail(err, -EINVAL, "%s has no malloc, aligned_alloc and free; name an allocator",
		       library->name);
}

const struct km_model *km_malloc_model(const char *name, struct km_err *err)
{
	const struct km_model *null = km_model_find("null");
	struct library *library;

	for (library = libraries; library; library = library->next)
		if (strcmp(library->name, name) == 0)
			return &library->model;
	library = calloc(1, sizeof(*library) + strlen(name) + 1);
	if (!library) {
		km_fail(err, -ENOMEM, "no memory for the model malloc:%s", name);
		return NULL;
	}
	strcpy(library->name, name);
	library->model = (struct km_model){.name = "malloc",
					   .summary = "a user-space allocator, for scale",
					   .page = null->page,
					   .slab = &malloc_slab_ops,
					   .vm = null->vm,
					   .route = KM_ROUTE_SLAB};
	if (load(library, err)) {
		free(library);
		return NULL;
	}
	library->next = libraries;
	libraries = library;
	return &library->model;
}
