"""The inner loops of signing and comparing, compiled: they give what `minhash` and `near` give, only faster.

Imported where there is enough to do (see `minhash.WORTHWHILE`): loading the compiler takes a third of a second,
and its first use on a machine some seconds more, after which the compiled code lies beside this file. A test holds each loop
to its plain form.
"""

import sys
from importlib import import_module

import numpy as np
from numba import njit

MATRICES = "scipy.linalg.cython_blas"
if MATRICES not in sys.modules:
    # numba loads it if it is there, which takes a quarter of a second, and no loop here multiplies matrices
    sys.modules[MATRICES] = None  # type: ignore[assignment]
    import_module("numba.np.arraymath")
    del sys.modules[MATRICES]

WIDTH = 5  # letters in a run, as shingles.RUN
P1, P2, P3, P4, P5 = (np.uint32(p) for p in (0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D, 0x27D4EB2F, 0x165667B1))  # xxHash
PRIME = np.uint64(0x100000001B3)  # FNV's, as shingles.PRIME
CACHED = 1 << 24  # runs of survivors kept while they may be needed again: 128 MB
GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2**64 by the golden ratio: spreads numbers over a table


@njit(cache=True, inline="always")
def times(one, other):  # type: ignore[no-untyped-def]
    """The product in 32 bits: numba widens what it multiplies."""
    return np.uint32(one * other)


@njit(cache=True, inline="always")
def rotated(value, bits):  # type: ignore[no-untyped-def]
    """The number with its bits rotated left."""
    return np.uint32((value << np.uint32(bits)) | (value >> np.uint32(32 - bits)))


@njit(cache=True, inline="always")
def shifted(value, bits):  # type: ignore[no-untyped-def]
    """The number mixed with its own upper bits."""
    return np.uint32(value ^ (value >> np.uint32(bits)))


@njit(cache=True, inline="always")
def finished(state):  # type: ignore[no-untyped-def]
    """xxHash's last steps, and MurmurHash3's finish."""
    state = times(shifted(times(shifted(state, 15), P2), 13), P3)
    state = times(shifted(shifted(state, 16), 16), np.uint32(0x85EBCA6B))
    return shifted(times(shifted(state, 13), np.uint32(0xC2B2AE35)), 16)


@njit(cache=True, inline="always")
def word(data, at):  # type: ignore[no-untyped-def]
    """Four bytes as a number."""
    return np.uint32(data[at] | data[at + 1] << 8 | data[at + 2] << 16 | data[at + 3] << 24)


@njit(cache=True, inline="always")
def with_word(state, four):  # type: ignore[no-untyped-def]
    """The state after four more bytes."""
    return times(rotated(np.uint32(state + times(four, P3)), 17), P4)


@njit(cache=True, inline="always")
def with_byte(state, byte):  # type: ignore[no-untyped-def]
    """The state after one more byte."""
    return times(rotated(np.uint32(state + times(np.uint32(byte), P5)), 11), P1)


@njit(cache=True, inline="always")
def lane(seed, four):  # type: ignore[no-untyped-def]
    """One of the four sums that texts of 16 bytes and more start with."""
    return times(rotated(np.uint32(seed + times(four, P2)), 13), P1)


@njit(cache=True)
def xxh32(data, start, length):  # type: ignore[no-untyped-def]
    """xxh32 with seed 0 of up to 31 bytes, mixed."""
    at, end, state = start, start + length, P5
    if length >= 16:
        state = np.uint32(
            rotated(lane(np.uint32(0x24234428), word(data, at)), 1)
            + rotated(lane(P2, word(data, at + 4)), 7)
            + rotated(lane(np.uint32(0), word(data, at + 8)), 12)
            + rotated(lane(np.uint32(0x61C8864F), word(data, at + 12)), 18)
        )
        at += 16
    state = np.uint32(state + np.uint32(length))
    while at + 4 <= end:
        state = with_word(state, word(data, at))
        at += 4
    while at < end:
        state = with_byte(state, data[at])
        at += 1
    return finished(state)


@njit(cache=True)
def ascii_hashes(data, hashes):  # type: ignore[no-untyped-def]
    """The same of all runs of a text in ASCII. Two loops, so that the second works on many runs at once."""
    four = np.uint32(word(data, 0) << np.uint32(8))
    fourth, fifth = data[3:], data[4:]
    for at in range(len(hashes)):
        four = np.uint32((four >> np.uint32(8)) | (np.uint32(fourth[at]) << np.uint32(24)))
        hashes[at] = four
    for at in range(len(hashes)):
        state = with_word(np.uint32(P5 + np.uint32(WIDTH)), hashes[at])
        hashes[at] = finished(with_byte(state, fifth[at]))


@njit(cache=True)
def space_beyond(data, at, stop):  # type: ignore[no-untyped-def]
    """How many bytes the space beyond ASCII takes that stands here; 0 if none does."""
    if data[at] == 0xC2 and at + 1 < stop:
        return 2 if data[at + 1] == 0x85 or data[at + 1] == 0xA0 else 0
    if not 0xE1 <= data[at] <= 0xE3 or at + 2 >= stop:
        return 0
    letter = (data[at] & 15) << 12 | (data[at + 1] & 63) << 6 | data[at + 2] & 63
    if 0x2000 <= letter <= 0x200A or letter == 0x2028 or letter == 0x2029 or letter == 0x202F:
        return 3
    return 3 if letter == 0x1680 or letter == 0x205F or letter == 0x3000 else 0


@njit(cache=True)
def folded(data, start, stop, lower, out):  # type: ignore[no-untyped-def]
    """Write the text with single spaces, and ASCII in lower case if asked; its length in bytes, and whether it is ASCII.

    Texts beyond ASCII come in lower case already.
    """
    length, gap, seen, at = 0, False, np.uint8(0), start
    while at < stop:
        byte = data[at]
        space = 1 if byte <= 32 and (byte == 32 or 9 <= byte <= 13 or byte >= 28) else 0  # what str.split splits at
        if byte >= 0xC2:
            space = space_beyond(data, at, stop)
        if space:
            gap = length > 0
            at += space
            continue
        if gap:
            out[length] = 32
            length += 1
            gap = False
        seen |= byte
        out[length] = byte + np.uint8(32) if lower and 65 <= byte <= 90 else byte
        length += 1
        at += 1
    return length, seen < 128


@njit(cache=True, inline="always")
def character(data, at):  # type: ignore[no-untyped-def]
    """The character beyond ASCII that starts here, as a number, and its bytes."""
    more = 1 if data[at] < 0xE0 else 2 if data[at] < 0xF0 else 3
    letter = np.uint32(data[at] & (0x3F >> more))
    for step in range(1, more + 1):
        letter = np.uint32((letter << np.uint32(6)) | np.uint32(data[at + step] & 0x3F))
    return letter, more + 1


@njit(cache=True)
def kept(data, at, start, stop):  # type: ignore[no-untyped-def]
    """Whether a point, comma or colon stands between two digits."""
    if data[at] != 46 and data[at] != 44 and data[at] != 58:
        return False
    return start < at and at + 1 < stop and 48 <= data[at - 1] <= 57 and 48 <= data[at + 1] <= 57


@njit(cache=True)
def squeezed(data, starts, gaps):  # type: ignore[no-untyped-def]
    """All texts, ASCII in lower case, with one space for each run of what `gaps` names, and where each ends.

    A point, comma or colon between digits is none. `gaps` is by character, of the basic plane.
    """
    out, ends, end = np.empty(len(data), np.uint8), np.empty(len(starts) - 1, np.int64), 0
    for text in range(len(starts) - 1):
        start, stop, first, at, gap = starts[text], starts[text + 1], end, starts[text], False
        while at < stop:
            letter, width = np.uint32(data[at]), 1
            if letter >= 0x80:
                letter, width = character(data, at)
            if letter < len(gaps) and gaps[letter] and not kept(data, at, start, stop):
                gap = end > first
                at += width
                continue
            if gap:
                out[end] = 32
                end += 1
                gap = False
            out[end] = data[at] + np.uint8(32) if 65 <= letter <= 90 else data[at]
            for more in range(1, width):
                out[end + more] = data[at + more]
            end += width
            at += width
        ends[text] = end
    return out[:end], ends


@njit(cache=True)
def run_hashes(data, starts, lower):  # type: ignore[no-untyped-def]
    """Hashes of the runs of all texts, one text after the other, and where each text's runs start."""
    count = len(starts) - 1
    longest = 0
    for text in range(count):
        longest = max(longest, starts[text + 1] - starts[text])
    text_bytes = np.empty(longest + 1, np.uint8)
    heads, as_ascii = np.empty(longest + 1, np.int64), np.empty(longest + 1, np.uint32)
    hashes = np.empty(starts[count] - starts[0] + count, np.uint32)
    firsts = np.empty(count + 1, np.int64)
    total = 0
    for text in range(count):
        firsts[text] = total
        length, ascii_only = folded(data, starts[text], starts[text + 1], lower[text], text_bytes)
        if ascii_only and length >= WIDTH:
            runs = length - WIDTH + 1
            ascii_hashes(text_bytes, hashes[total : total + runs])
            total += runs
            continue
        letters = 0
        for at in range(length):
            if text_bytes[at] & 0xC0 != 0x80:
                heads[letters] = at
                letters += 1
        heads[letters] = length
        width = min(letters, WIDTH)
        runs = letters - width + 1
        if length >= WIDTH:
            ascii_hashes(text_bytes, as_ascii[: length - WIDTH + 1])
        for at in range(runs):
            span = heads[at + width] - heads[at]
            hashes[total + at] = as_ascii[heads[at]] if span == WIDTH else xxh32(text_bytes, heads[at], span)
        total += runs
    firsts[count] = total
    return hashes[:total], firsts


@njit(cache=True)
def folded_pairs(data, starts, lower):  # type: ignore[no-untyped-def]
    """Prompts and replies in turn, folded, a space between; where each pair begins, where its reply, and where it ends."""
    count = (len(starts) - 1) // 2
    out = np.empty(starts[-1] + count, np.uint8)
    places = np.empty((3, count), np.int64)
    end = 0
    for pair in range(count):
        places[0, pair] = end
        length, _ = folded(data, starts[2 * pair], starts[2 * pair + 1], lower[2 * pair], out[end:])
        end += length
        reply, _ = folded(data, starts[2 * pair + 1], starts[2 * pair + 2], lower[2 * pair + 1], out[end + 1 :])
        if length and reply:
            out[end] = 32
            end += 1
        elif reply:
            out[end : end + reply] = out[end + 1 : end + 1 + reply]
        places[1, pair] = end
        end += reply
        places[2, pair] = end
    return out[:end], places[0], places[1], places[2]


@njit(cache=True)
def least(hashes, firsts, multipliers, summands):  # type: ignore[no-untyped-def]
    """Of each permutation the least value over a text's runs, shape (texts, permutations)."""
    result = np.full((len(firsts) - 1, len(multipliers)), np.uint32(0xFFFFFFFF), np.uint32)
    for text in range(len(firsts) - 1):
        own, row = hashes[firsts[text] : firsts[text + 1]], result[text]
        whole = len(own) - len(own) % 4
        for at in range(0, whole, 4):  # four at a time, because loading the permutations takes longer than using them
            one, two, three, four = own[at], own[at + 1], own[at + 2], own[at + 3]
            for place in range(len(multipliers)):
                times, plus, so_far = multipliers[place], summands[place], row[place]
                so_far = min(so_far, np.uint32(one * times + plus), np.uint32(two * times + plus))
                row[place] = min(so_far, np.uint32(three * times + plus), np.uint32(four * times + plus))
        for value in own[whole:]:
            for place in range(len(multipliers)):
                row[place] = min(row[place], np.uint32(value * multipliers[place] + summands[place]))
    return result


@njit(cache=True)
def decoded(data, start, stop, letters):  # type: ignore[no-untyped-def]
    """Write the characters of a text in UTF-8 as numbers; how many there are."""
    count, at = 0, start
    while at < stop:
        letters[count], width = data[at], 1
        if data[at] >= 0x80:
            letters[count], width = character(data, at)
        at += width
        count += 1
    return count


@njit(cache=True)
def spelt(data, start, stop, letters):  # type: ignore[no-untyped-def]
    """Write the letters of four bytes; how many there are."""
    for at in range((stop - start) // 4):
        letters[at] = word(data, start + 4 * at)
    return (stop - start) // 4


@njit(cache=True)
def numbered(data, wide, start, stop, letters, out):  # type: ignore[no-untyped-def]
    """Write each run of a text as a number: of ASCII its bytes, so without collisions, else a hash; how many there are."""
    run, beyond = np.uint64(0), np.uint8(wide << 7)
    for at in range(start, stop):
        beyond |= data[at]
        run = (run >> np.uint64(8)) | (np.uint64(data[at]) << np.uint64(32))
        out[max(at - start - WIDTH + 1, 0)] = run
    if beyond < 128 and stop - start >= WIDTH:
        return stop - start - WIDTH + 1
    count = spelt(data, start, stop, letters) if wide else decoded(data, start, stop, letters)
    width = min(count, WIDTH)
    for at in range(count - width + 1):
        seen, packed, hashed = np.uint32(0), np.uint64(0), np.uint64(width)
        for step in range(width):
            letter = letters[at + step]
            seen |= letter
            packed |= np.uint64(letter) << np.uint64(8 * step)
            hashed = hashed * PRIME + np.uint64(letter)
        out[at] = packed if seen < 128 and width == WIDTH and not wide else hashed | np.uint64(1) << np.uint64(63)
    return count - width + 1


@njit(cache=True, inline="always")
def slot_of(run, table, stamp, mask):  # type: ignore[no-untyped-def]
    """Where a run stands among those with this stamp, or where it would; run and stamp lie side by side."""
    slot = ((run * GOLDEN) >> np.uint64(20)) & mask
    while table[slot, 1] == stamp and table[slot, 0] != run:
        slot = (slot + np.uint64(1)) & mask
    return slot


@njit(cache=True)
def mask_for(count):  # type: ignore[no-untyped-def]
    """One less than the slots of a table that so many runs fill by half at most."""
    slots = 16
    while slots < 2 * count:
        slots *= 2
    return np.uint64(slots - 1)


@njit(cache=True)
def distinct_runs(data, wide, begin, end, letters, runs, table, stamp):  # type: ignore[no-untyped-def]
    """Enter the runs of a stretch of text into the table, and write those that are new; the mask, and how many."""
    count = numbered(data, wide, begin, end, letters, runs)
    mask, distinct = mask_for(count), 0
    for run in runs[:count]:
        slot = slot_of(run, table, stamp, mask)
        if table[slot, 1] != stamp:
            table[slot, 0], table[slot, 1] = run, stamp
            runs[distinct] = run
            distinct += 1
    return mask, distinct


@njit(cache=True)
def shared(runs, table, stamp, mask, enough):  # type: ignore[no-untyped-def]
    """How many of the distinct runs of another text are in the table; too few as soon as there cannot be `enough`."""
    missing, spare = 0, len(runs) - enough
    for run in runs:
        slot = slot_of(run, table, stamp, mask)
        if table[slot, 1] != stamp:
            missing += 1
            if missing > spare:
                return 0
    return len(runs) - missing


@njit(cache=True)
def jaccard(data, wide, here, there, letters, runs, table, stamp):  # type: ignore[no-untyped-def]
    """Exact similarity of two stretches of text; uses two stamps."""
    _, other = distinct_runs(data, wide, there[0], there[1], letters, runs, table, stamp + np.uint64(1))
    others = runs[:other].copy()
    mask, own = distinct_runs(data, wide, here[0], here[1], letters, runs, table, stamp)
    both = shared(others, table, stamp, mask, 0)
    return both / (own + other - both)


@njit(cache=True)
def nearest(found, equals, count, most):  # type: ignore[no-untyped-def]
    """The `most` of the first `count` found with the most equal values, the likeliest first, equal ones in their order."""
    tally = np.zeros(257, np.int64)
    for at in range(count):
        tally[equals[at]] += 1
    least_equal, so_far = 256, 0
    while least_equal > 0 and so_far + tally[least_equal] < most:
        so_far += tally[least_equal]
        least_equal -= 1
    ranked = np.empty(count, np.int64)
    chosen = 0
    for at in range(count):
        if equals[at] >= least_equal:
            ranked[chosen] = (np.int64(256 - equals[at]) << 40) | found[at]
            chosen += 1
    return np.sort(ranked[:chosen])[:most] & ((np.int64(1) << 40) - 1)


@njit(cache=True)
def grown(array, length):  # type: ignore[no-untyped-def]
    """The array, with twice the room if it is full."""
    if length < len(array):
        return array
    return np.concatenate((array, np.empty_like(array)))


@njit(cache=True)
def candidates(record, buckets, firsts, holds, held, sketches, likely, seen, found, equals):  # type: ignore[no-untyped-def]
    """The survivors held in the record's bands whose sketches are likely alike, with how many values are equal."""
    count = 0
    for bucket in buckets[record, 1:]:
        if bucket < 0:
            continue
        for other in held[firsts[bucket] : firsts[bucket] + holds[bucket]]:
            if seen[other] == record:
                continue
            seen[other] = record
            equal = 0
            for value in range(sketches.shape[1]):
                equal += sketches[record, value] == sketches[other, value]
            if equal >= likely:
                found, equals = grown(found, count), grown(equals, count)
                found[count], equals[count] = other, equal
                count += 1
    return count, found, equals


@njit(cache=True)
def cached(runs, sets, end):  # type: ignore[no-untyped-def]
    """Keep a set after the `end` of those kept so far, round and round: where it is (-1: too large), and the new end."""
    if 4 * len(runs) > len(sets):
        return -1, end
    if end % len(sets) + len(runs) > len(sets):
        end += len(sets) - end % len(sets)
    at = end % len(sets)
    sets[at : at + len(runs)] = runs
    return end, end + len(runs)


@njit(cache=True)
def greedy(  # type: ignore[no-untyped-def]
    buckets, rooms, sketches, data, begins, middles, ends, wide, prompts, threshold, floor, likely, compared, most_pairs
):
    """`near.greedy`, which says what it takes and gives."""
    count = len(buckets)
    firsts = np.zeros(len(rooms) + 1, np.int64)
    firsts[1:] = np.cumsum(rooms)
    held, holds = np.empty(firsts[-1], np.int32), np.zeros(len(rooms), np.int64)
    full = np.zeros(len(rooms), np.bool_)
    longest = max(1, (ends - begins).max())
    letters, runs, others_runs = (
        np.empty(longest, np.uint32),
        np.empty(longest, np.uint64),
        np.empty(longest, np.uint64),
    )
    slots = np.int64(mask_for(longest)) + 1
    table, others_table, clock = np.zeros((slots, 2), np.uint64), np.zeros((slots, 2), np.uint64), np.uint64(0)
    sets = np.empty(min(CACHED, (ends - begins).sum() + count), np.uint64)  # of survivors, the oldest overwritten
    cached_at, cached_to = np.full(count, -1, np.int64), 0
    distinct, seen = np.zeros(count, np.int64), np.full(count, -1, np.int64)
    survivor, similarity = np.full(count, -1, np.int64), np.zeros(count, np.float64)
    left = np.zeros(count, np.bool_)
    found, equals = np.empty(1024, np.int64), np.empty(1024, np.int64)
    ones, others = np.empty(1024, np.int64), np.empty(1024, np.int64)
    likenesses, pairs = np.empty(1024, np.float64), 0
    alike, likeness = np.empty(compared, np.int64), np.empty(compared, np.float64)
    for record in range(count):
        same = buckets[record, 0]
        if same >= 0 and holds[same]:
            survivor[record] = held[firsts[same]]
            continue
        number, found, equals = candidates(record, buckets, firsts, holds, held, sketches, likely, seen, found, equals)
        left[record] = number > compared
        stamp, met, mask = clock + np.uint64(1), 0, np.uint64(0)
        clock = stamp
        if number:
            mask, distinct[record] = distinct_runs(
                data, wide, begins[record], ends[record], letters, runs, table, stamp
            )
        size = distinct[record]
        for other in nearest(found, equals, number, compared):
            if cached_at[other] >= 0 and cached_to - cached_at[other] <= len(sets):
                at = cached_at[other] % len(sets)
                theirs = sets[at : at + distinct[other]]
            else:
                clock += np.uint64(1)
                _, distinct[other] = distinct_runs(
                    data, wide, begins[other], ends[other], letters, others_runs, others_table, clock
                )
                theirs = others_runs[: distinct[other]]
                cached_at[other], cached_to = cached(theirs, sets, cached_to)
            if (
                min(size, len(theirs)) / max(size, len(theirs)) < floor
            ):  # divided as the similarity is: 55 of 100 is 0.55
                continue  # fewer runs in all than would have to be shared
            both = shared(theirs, table, stamp, mask, np.int64(floor / (1 + floor) * (size + len(theirs))))
            like = both / (size + len(theirs) - both)
            if like < floor:
                continue
            if prompts[record] and prompts[record] == prompts[other]:
                here, there = (middles[record], ends[record]), (middles[other], ends[other])
                clock += np.uint64(2)
                answers = jaccard(data, wide, here, there, letters, others_runs, others_table, clock - np.uint64(1))
                if answers < threshold:
                    continue
            if like >= threshold:
                survivor[record], similarity[record] = other, like
                break
            alike[met], likeness[met] = other, like
            met += 1
        if survivor[record] >= 0:
            continue
        for at in np.argsort(-likeness[:met], kind="mergesort")[:most_pairs]:
            ones, others, likenesses = grown(ones, pairs), grown(others, pairs), grown(likenesses, pairs)
            ones[pairs], others[pairs], likenesses[pairs] = record, alike[at], likeness[at]
            pairs += 1
        for bucket in buckets[record]:
            if bucket >= 0 and holds[bucket] < rooms[bucket]:
                held[firsts[bucket] + holds[bucket]] = record
                holds[bucket] += 1
            elif bucket >= 0:
                full[bucket] = True
        # a bucket that overflows is told from here on
        for bucket in buckets[record, 1:]:
            left[record] |= bucket >= 0 and full[bucket]
    return survivor, similarity, left, ones[:pairs], others[:pairs], likenesses[:pairs]
