# SPDX-License-Identifier: GPL-2.0-only
# A program of calls from a seed, for `oracle random`. Numbers come from awk's own arithmetic (a
# linear congruence modulo 2^31 - 1), not from its rand(). Variables: kind seed calls kernel cpus memory
#
# Programs of pages run with the interrupts of all CPUs off, where reclaim cannot run: what may make it
# necessary must not be asked for. So flags that may sleep go with small orders while most of memory
# is free, and everything else asks with flags that may not.

function below(n) {
	seed = (seed * 48271) % 2147483647
	return int(seed / 2147483647 * n)
}

function cpu() {
	return cpus > 1 ? " @" below(cpus) : ""
}

function power(n) {
	return 2 ^ n
}

# ---- live allocations: what, its order (or bytes), pages ----

function keep(name, is, number, pages) {
	live[++nr] = name
	form[nr] = is
	what[nr] = number
	size[nr] = pages
	held += pages
}

function remove(i) {
	held -= size[i]
	live[i] = live[nr]
	form[i] = form[nr]
	what[i] = what[nr]
	size[i] = size[nr]
	nr--
}

# ---- flags ----

function one_of(list,   words, count) {
	count = split(list, words, ";")
	return words[1 + below(count)]
}

# May not sleep; __GFP_NOWARN because a failure is told at length on a slow console.
function urgent(order,   flags) {
	flags = one_of("GFP_NOWAIT;GFP_NOWAIT;GFP_ATOMIC;GFP_ATOMIC;GFP_NOWAIT | __GFP_HIGH;__GFP_HIGH;" \
		"__GFP_KSWAPD_RECLAIM;GFP_NOWAIT | __GFP_NORETRY;GFP_NOWAIT | __GFP_RETRY_MAYFAIL;" \
		"GFP_ATOMIC | __GFP_NOMEMALLOC;GFP_NOWAIT | __GFP_HARDWALL;GFP_ATOMIC | __GFP_ZERO;0x800")
	if (order == 9 && !below(3))
		return "GFP_TRANSHUGE_LIGHT"
	if (kind == "pressure" && !below(60))
		flags = flags " | __GFP_MEMALLOC"
	flags = flags one_of(";; | __GFP_MOVABLE; | __GFP_MOVABLE; | __GFP_RECLAIMABLE;" \
		" | __GFP_HIGHMEM | __GFP_MOVABLE; | __GFP_HIGHMEM; | GFP_DMA32; | GFP_DMA32 | __GFP_MOVABLE;" \
		" | GFP_DMA; | __GFP_WRITE; | __GFP_THISNODE")
	return flags " | __GFP_NOWARN"
}

function patient(   flags) {
	flags = one_of("GFP_KERNEL;GFP_KERNEL;GFP_USER;GFP_HIGHUSER;GFP_HIGHUSER_MOVABLE;" \
		"GFP_HIGHUSER_MOVABLE;GFP_NOFS;GFP_NOIO;GFP_KERNEL | __GFP_RECLAIMABLE;" \
		"GFP_KERNEL | __GFP_MOVABLE;GFP_KERNEL | __GFP_NORETRY;GFP_KERNEL | __GFP_RETRY_MAYFAIL;" \
		"GFP_KERNEL | __GFP_ZERO;__GFP_RECLAIM;__GFP_DIRECT_RECLAIM | __GFP_IO;GFP_KERNEL | __GFP_DMA32")
	return flags
}

function can_sleep(order) {
	return kind == "plenty" && order <= 3 && held < total * 0.4 && below(2)
}

# ---- every page call (kinds plenty and pressure) ----

function some_order() {
	if (below(100) < small)
		return below(10) ? 0 : 1 + below(3)
	return below(4) ? below(11) : below(2) ? 9 : 10
}

function ask_block(   order, flags) {
	order = some_order()
	if (order >= 4 && order <= 8 && kind == "plenty")
		order -= 4
	flags = can_sleep(order) ? patient() : urgent(order)
	if (order <= 1 && flags ~ /^GFP_KERNEL$/ && !below(8))
		flags = flags " | __GFP_NOFAIL"
	if (order && !below(4)) {
		printf "p%d = alloc_pages(%s | __GFP_COMP, %d)%s\n", name, flags, order, cpu()
		keep("p" name, "whole", order, power(order))
	} else if (flags !~ /HIGH[MU]/ && !below(4)) {
		printf "p%d = __get_free_pages(%s, %d)%s\n", name, flags, order, cpu()
		keep("p" name, "address", order, power(order))
	} else {
		printf "p%d = alloc_pages(%s, %d)%s\n", name, flags, order, cpu()
		keep("p" name, flags ~ /TRANSHUGE/ ? "whole" : "block", order, power(order))
	}
}

function ask_exact(   bytes, order) {
	bytes = 1 + below(below(5) ? 65536 : 1048576)
	for (order = 0; power(order) * 4096 < bytes; order++)
		;
	printf "p%d = alloc_pages_exact(%d, %s)%s\n", name, bytes,
		can_sleep(order) ? "GFP_KERNEL" : one_of("GFP_NOWAIT;GFP_ATOMIC;GFP_NOWAIT | __GFP_RECLAIMABLE") \
		" | __GFP_NOWARN", cpu()
	keep("p" name, "exact", bytes, int((bytes + 4095) / 4096))
}

function ask_bulk(   count, i, flags) {
	count = 1 + below(below(4) ? 20 : 300)
	flags = can_sleep(0) ? one_of("GFP_KERNEL;GFP_HIGHUSER_MOVABLE") \
		: one_of("GFP_NOWAIT;GFP_ATOMIC;GFP_NOWAIT | __GFP_MOVABLE") " | __GFP_NOWARN"
	printf "n%d = alloc_pages_bulk_array(%s, %d, p%d)%s\n", name, flags, count, name, cpu()
	for (i = 0; i < count; i++)
		keep("p" name "[" i "]", "page", 0, 1)
}

function ask(   lot) {
	lot = below(100)
	if (lot < 80)
		ask_block()
	else if (lot < 85) {
		printf "p%d = %s(%s)%s\n", name, one_of("alloc_page;__get_free_page;get_zeroed_page"),
			one_of("GFP_NOWAIT;GFP_ATOMIC;GFP_NOWAIT | __GFP_RECLAIMABLE") " | __GFP_NOWARN", cpu()
		keep("p" name, "page", 0, 1)
	} else if (lot < 93)
		ask_exact()
	else
		ask_bulk()
}

# A block in parts, each as large as its place and a lot allow, in any order.
function free_in_parts(name, order,   at, part, parts, i, lot, end, orders) {
	printf "split_page(%s, %d)\n", name, order
	end = power(order)
	parts = 0
	for (at = 0; at < end; at += power(part)) {
		part = order > 4 ? order - 3 + below(3) : below(order + 1)
		while (at % power(part) || at + power(part) > end)
			part--
		starts[++parts] = at
		orders[parts] = part
	}
	for (; parts; parts--) {
		lot = 1 + below(parts)
		i = starts[lot]
		printf "__free_pages(%s%s, %d)%s\n", name, i ? " + " i : "", orders[lot], cpu()
		starts[lot] = starts[parts]
		orders[lot] = orders[parts]
	}
}

function give(i) {
	if (form[i] == "exact")
		printf "free_pages_exact(%s, %d)%s\n", live[i], what[i], cpu()
	else if (form[i] == "address")
		printf "free_pages(%s, %d)%s\n", live[i], what[i], cpu()
	else if (form[i] == "page")
		printf "__free_page(%s)%s\n", live[i], cpu()
	else if (form[i] == "block" && what[i] && !below(5))
		free_in_parts(live[i], what[i])
	else
		printf "__free_pages(%s, %d)%s\n", live[i], what[i], cpu()
	remove(i)
}

# ---- areas, from all that makes one; an area's form is the call that takes it back ----

function area_bytes() {
	return 1 + below(below(4) ? 65536 : below(8) ? 1048576 : 8388608)
}

function ask_area(   lot, pages) {
	lot = below(100)
	if (lot < 55)
		printf "p%d = vmalloc(%d)%s\n", name, area_bytes(), cpu()
	else if (lot < 65)
		printf "p%d = __vmalloc_node(%d, %d, GFP_KERNEL, NUMA_NO_NODE, NULL)%s\n", name, area_bytes(),
			4096 * power(below(7)), cpu()
	else if (lot < 67)
		printf "p%d = vmalloc_huge(%d, GFP_KERNEL)%s\n", name, below(6291456) + 1048576, cpu()
	else if (lot < 70)
		printf "p%d = vmalloc_32(%d)%s\n", name, area_bytes(), cpu()
	if (lot < 70) {
		keep("p" name, "vfree", 0, 1)
	} else if (lot < 80) {
		printf "p%d = vmap(b%d, %d)%s\n", name, below(4), 1 + below(below(3) ? 64 : 1024), cpu()
		keep("p" name, "vunmap", 0, 1)
	} else if (lot < 97) {
		pages = 1 + below(below(8) ? 16 : below(4) ? 64 : 600)
		printf "p%d = vm_map_ram(b%d, %d)%s\n", name, below(4), pages, cpu()
		keep("p" name, "vm_unmap_ram", pages, 1)
	} else {
		printf "p%d = ioremap(0x%x000, %d)%s\n", name, 983040 + below(1000), 1 + below(200000), cpu()
		keep("p" name, "iounmap", 0, 1)
	}
}

# True when it was one of the calls that neither make an area nor take one back.
function other_area_call(   i) {
	if (!below(300)) {
		printf "vm_unmap_aliases()%s\n", cpu()
		return 1
	}
	i = nr ? 1 + below(nr) : 0
	if (told || below(25) || !i || form[i] != "vfree")
		return 0
	printf "p%d = vrealloc(%s, %d, GFP_KERNEL)%s\n", name, live[i], area_bytes(), cpu()
	live[i] = "p" name
	return 1
}

# ---- single pages, objects ----

function page(   order, kinds) {
	order = below(10) ? below(4) : below(11)
	kinds = kind == "full" ? 4 : 3
	printf "p%d = alloc_pages(%s, %d)%s\n", name, flags[kinds, below(kinds)], order, cpu()
	return order
}

function allocate() {
	if (kind == "plenty" || kind == "pressure")
		ask()
	else if (kind == "page" || kind == "full")
		keep("p" name, "block", page(), 1)
	else if (kind == "slab") {
		keep("p" name, "object", 1 + below(nr_sizes), 1)
		printf "p%d = kmem_cache_alloc(c%d, GFP_NOWAIT)%s\n", name, what[nr], cpu()
	} else
		ask_area()
}

function release(i) {
	if (kind == "plenty" || kind == "pressure") {
		give(i)
		return
	}
	if (kind == "page" || kind == "full")
		printf "__free_pages(%s, %d)%s\n", live[i], what[i], cpu()
	else if (kind == "slab")
		printf "kmem_cache_free(c%d, %s)%s\n", what[i], live[i], cpu()
	else if (form[i] == "vm_unmap_ram")
		printf "vm_unmap_ram(%s, %d)%s\n", live[i], what[i], cpu()
	else
		printf "%s(%s)%s\n", form[i], live[i], cpu()
	remove(i)
}

# ---- the kmalloc family; pointers of the kv family and of kmalloc are both freed by kvfree() ----

# A size of every kind: classes, their edges, pages, more than there can be.
function some_bytes(   lot) {
	lot = below(20)
	if (lot < 10)
		return below(300)
	if (lot < 15)
		return power(3 + below(11)) + below(3) - 1
	if (lot < 18)
		return below(40000)
	return lot < 19 ? below(9 * 1048576) : 0
}

function some_gfp() {
	return below(4) ? "GFP_KERNEL" : "GFP_KERNEL | __GFP_ZERO"
}

function new_object(   call, n) {
	call = one_of("kmalloc;kzalloc;kvmalloc;kvzalloc")
	n = some_bytes()
	printf "p%d = %s(%d, %s | __GFP_NOWARN)\n", name, call, n, some_gfp()
	keep("p" name, call ~ /^kv/ ? "area" : "object", n, 0)
}

function resize_object(i, n) {
	if (below(3))
		printf "n%d = ksize(%s)\n", name, live[i]
	# A failure leaves the old one where it was: no variable takes it then.
	printf "%s = krealloc(%s, %d, %s | __GFP_NOWARN)\n", n < 4194304 ? live[i] : "n" name, live[i], n,
		some_gfp()
	if (n < 4194304)
		what[i] = n
}

function resize_area(i, n) {
	printf "%s = kvrealloc(%s, %s%d, %s | __GFP_NOWARN)\n", live[i], live[i], told ? what[i] ", " : "", n,
		some_gfp()
	if (!told || n > what[i])
		what[i] = n
}

function kmalloc_call(   lot, i, n) {
	lot = below(10)
	i = nr ? 1 + below(nr) : 0
	n = some_bytes()
	if (lot < 3 || !i)
		new_object()
	else if (lot < 4) {
		printf "p%d = kcalloc(%d, %d, GFP_KERNEL | __GFP_NOWARN)\n", name, below(50), below(100)
		keep("p" name, "object", 0, 0)
	} else if (lot < 5)
		printf "n%d = %s(0x8000000000000000, 2, GFP_KERNEL)\n", name, below(2) ? "kcalloc" : "kvcalloc"
	else if (lot < 6)
		printf "n%d = kmalloc_size_roundup(%d)\n", name, n
	else if (lot < 8 && form[i] == "object")
		resize_object(i, n ? n : 1)
	else if (lot < 9 && form[i] == "area")
		resize_area(i, n ? n : 1)
	else {
		printf "%s(%s)\n", form[i] == "area" || below(2) ? "kvfree" : "kfree_sensitive", live[i]
		remove(i)
	}
}

# ---- caches ----

# As a kernel has them: every kind of size, alignment, flag.
function create_caches(   i, extent) {
	for (i = 1; i <= nr_sizes; i++) {
		extent = below(4) ? 8 + below(below(2) ? 300 : 2100) : 1 + below(9000)
		printf "c%d = kmem_cache_create(%d, %d, %s%s)\n", i, extent,
			one_of("0;0;0;8;16;32;64;128;256"),
			one_of("0;0;SLAB_HWCACHE_ALIGN;SLAB_RECLAIM_ACCOUNT;SLAB_ACCOUNT;SLAB_TYPESAFE_BY_RCU;" \
			       "SLAB_HWCACHE_ALIGN | SLAB_RECLAIM_ACCOUNT;SLAB_CACHE_DMA;" \
			       "SLAB_HWCACHE_ALIGN | SLAB_TYPESAFE_BY_RCU"),
			(below(5) ? "" : ", constructor")
	}
}

# A bulk allocation is freed as the array it is, or element by element.
function bulk_alloc(   i, cache, n) {
	cache = 1 + below(nr_sizes)
	n = 1 + below(40)
	printf "n%d = kmem_cache_alloc_bulk(c%d, GFP_KERNEL, %d, b%d)%s\n", name, cache, n, name, cpu()
	if (below(2)) {
		bulks[++nr_bulks] = "c" cache ", " n ", b" name
		return
	}
	for (i = 0; i < n; i++) {
		live[++nr] = "b" name "[" i "]"
		form[nr] = cache
	}
}

# With shrinks and bulk calls the program runs as a task, which may sleep.
function cache_call(   i, cache, node, mode) {
	if (done % 500 == 0)
		grows = 35 + below(40)
	if (sleeps && !below(400))
		printf "kmem_cache_shrink(c%d)%s\n", 1 + below(nr_sizes), cpu()
	else if (sleeps && !below(40))
		bulk_alloc()
	else if (nr_bulks && !below(40)) {
		i = 1 + below(nr_bulks)
		printf "kmem_cache_free_bulk(%s)%s\n", bulks[i], cpu()
		bulks[i] = bulks[nr_bulks--]
	} else if (nr && below(100) >= grows) {
		i = 1 + below(nr)
		printf "kmem_cache_free(c%d, %s)%s\n", form[i], live[i], cpu()
		remove(i)
	} else {
		cache = 1 + below(below(3) ? 5 : nr_sizes)
		live[++nr] = "p" name
		form[nr] = cache
		node = !below(5)
		mode = one_of(sleeps ? "GFP_KERNEL;GFP_KERNEL;GFP_NOWAIT;GFP_ATOMIC | __GFP_NOWARN" \
				     : "GFP_NOWAIT;GFP_ATOMIC | __GFP_NOWARN")
		if (memcg == 2 && !below(4))
			mode = mode " | __GFP_ACCOUNT"
		printf "p%d = kmem_cache_alloc%s(c%d, %s%s)%s\n", name, (node ? "_node" : ""), cache, mode,
			(node ? ", 0" : ""), cpu()
	}
}

# ---- a program ----

# The program grows and shrinks; pressure asks for more than there is, and again.
function next_phase() {
	grows = (kind == "full" || kind == "pressure" ? 50 : 35) + below(40)
	small = one_of("20;50;80;95;100")
	oldest = !below(3)
	if (kind == "plenty" && held > total * 0.6)
		grows = 20
}

# Most of memory at once, so that few calls are needed to reach the end of it.
function fill(   order, left) {
	left = total * (0.7 + below(30) / 100)
	while (left > 0 && done < calls / 2) {
		order = total < 100000 ? 6 + below(5) : 9 + below(2)
		name = done++
		printf "p%d = alloc_pages(%s, %d)%s\n", name,
			one_of("GFP_NOWAIT;GFP_NOWAIT | __GFP_MOVABLE;GFP_NOWAIT | __GFP_RECLAIMABLE") \
			" | __GFP_NOWARN", order, cpu()
		keep("p" name, "block", order, power(order))
		left -= power(order)
	}
}

BEGIN {
	odd = seed % 2
	asked = seed
	seed = seed * 2654435 % 2147483646 + 1
	done = 0
	# Of four seeds two have memory cgroups; only a task can be in one.
	memcg = kind == "caches" && int(asked / 2) % 2 ? 1 + odd : 0
	printf "machine kernel=%s cpus=%d memory=%s%s\n", kernel, cpus, memory, memcg ? " memcg=" memcg : ""
	total = memory * (memory ~ /G/ ? 262144 : 256)
	split(kernel, version, ".")
	told = version[1] < 6 || (version[1] == 6 && version[2] < 12) # kvrealloc: the old size
	flags[3, 0] = flags[4, 0] = "GFP_NOWAIT"
	flags[3, 1] = "GFP_HIGHUSER_MOVABLE"
	flags[4, 1] = "GFP_NOWAIT | __GFP_MOVABLE"
	flags[3, 2] = flags[4, 2] = "GFP_NOWAIT | __GFP_RECLAIMABLE"
	flags[4, 3] = "GFP_ATOMIC"
	nr_sizes = split("8 24 64 96 128 192 256 512 616 1024 2048 2600 4096 8192", bytes, " ")
	if (kind == "slab")
		for (i = 1; i <= nr_sizes; i++)
			printf "c%d = kmem_cache_create(%d, 0)\n", i, bytes[i]
	sleeps = odd
	if (kind == "caches")
		create_caches()
	if (kind == "pressure")
		fill()
	for (i = 0; kind == "vm" && i < 4; i++) # what mappings show
		printf "b%d = alloc_pages(GFP_KERNEL, 10)\n", i
	next_phase()
	for (; done < calls; done++) {
		name = done
		if (kind == "kmalloc" || kind == "caches") {
			if (kind == "caches")
				cache_call()
			else
				kmalloc_call()
			continue
		}
		if (done % 1000 == 0 || (kind ~ /^p(lenty|ressure)$/ && done % 400 == 0))
			next_phase()
		if (kind == "vm" && other_area_call())
			continue
		if (nr && (below(100) >= grows || (kind == "vm" && nr > 150))) {
			release(oldest ? 1 + below(nr < 20 ? nr : 20) : 1 + below(nr))
			continue
		}
		allocate()
	}
	# Several of these run in one kernel: each ends as it began.
	while (kind == "vm" && nr)
		release(nr)
	for (i = 0; kind == "vm" && i < 4; i++)
		printf "__free_pages(b%d, 10)\n", i
}
