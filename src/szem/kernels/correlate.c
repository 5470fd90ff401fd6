/*
 * Correlation of a picture with a kernel, for any stride, dilation and border; uint8 or float32 in, float32 out.
 *
 *     out[i, j, c] = sum over m, n of weight[m, n] * in[row_map[s*i + dy*m], column_map[s*j + dx*n], c]
 *
 * The maps name the pixel that stands in for each position, -1 for zero: all that is known here about borders.
 *
 * How it is done
 *   1. Lanes. With g = gcd(s, dy), every (dy/g)-th output row reads only every dy-th picture row (from an offset on).
 *      Within such a lane the kernel is dense vertically, with a stride of s/g.
 *   2. Bands. The rows that a few output rows of one lane need are copied to a scratch that fits the second-level cache,
 *      as float32, with their borders. On the way a row is split by column phase (position modulo s), so that
 *      neighbouring outputs read neighbouring floats whatever the stride, and vectors need no gathers.
 *   3. Pitch. Scratch rows lie an odd number of cache lines apart. Rows of 1,024 floats would otherwise all fall into
 *      one set of the first-level cache, and a tall kernel would evict its own rows (5 times slower).
 *   4. Blocks. Four output rows times a few vectors are summed in registers: a loaded vector serves up to four rows.
 *      Kernels with many zeros go as a list of taps instead. Separable ones are applied along the row when a row
 *      enters the scratch, and along the column from there.
 *
 * The file includes itself once for each instruction set; szem_correlate chooses one of them while running. It knows
 * no Python: kernels/compiled.py loads it with ctypes, which releases the interpreter's lock during a call.
 */
#ifndef SZEM_VARIANT

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifndef SCRATCH_BYTES
#define SCRATCH_BYTES (768 * 1024) /* of a band: with the rows written it fits a second-level cache of 1 MiB */
#endif
#define LINE 16                    /* floats in a cache line */
#define TALL 3                     /* rows of a band, in heights of the kernel */
#define NARROWEST 512              /* floats of an output row that are worked on at once, */
#define WIDEST 4096                /* so many at least and at most */

/* What stays the same from picture to picture. Python fills it: keep it as kernels/compiled.py has it. */
typedef struct {
  int64_t width, channels;       /* of the picture */
  int64_t rows, columns;         /* of the result */
  int64_t kh, kw;                /* taps */
  int64_t stride, dy, dx;        /* of rows and columns; dilation of rows, of columns */
  int64_t before;                /* columns that the kernel reaches to the left of the picture at output 0 */
  const int32_t *row_map;        /* [stride * (rows - 1) + dy * (kh - 1) + 1] */
  const int32_t *column_map;     /* [stride * (columns - 1) + dx * (kw - 1) + 1] */
  const float *weights;          /* [kh][kw]; NULL where `column` and `row` are given */
  const float *column, *row;     /* [kh] and [kw] of a separable kernel */
  int64_t add;                   /* add to what the target holds */
} Job;

typedef struct {
  const char *pixels;
  int64_t pitch;    /* bytes from row to row */
  int64_t is_uint8; /* else float32 */
} Picture;

/* The kernel as the blocks read it. */
typedef struct {
  int64_t classes;      /* vertical stride inside a lane: taps m, m + classes, ... meet the same rows */
  int64_t kh, kw;       /* of the part that blocks apply: kw is 1 where rows were filtered before */
  const float *dense;   /* [class][kw][taps of the class] */
  const int64_t *across; /* [kw] where a row's floats for each column of taps begin */
  int64_t taps;         /* 0, or the length of the list */
  const int64_t *at;    /* [taps] distance of each tap in the scratch from its output's first row */
  const float *weight;  /* [taps] */
} Taps;

static int64_t minimum(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t maximum(int64_t a, int64_t b) { return a > b ? a : b; }
static int64_t up(int64_t a, int64_t b) { return a <= 0 ? 0 : (a + b - 1) / b; } /* a / b rounded up, at least 0 */
static int64_t gcd(int64_t a, int64_t b) { return b ? gcd(b, a % b) : a; }

#define INLINE static inline __attribute__((always_inline))
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif
#define JOIN2(a, b) a##_##b
#define JOIN(a, b) JOIN2(a, b)
#define NAME(name) JOIN(name, SZEM_VARIANT)

#if (defined(__x86_64__) || defined(__i386__)) && (defined(__GNUC__) || defined(__clang__))
#define HAS_X86_VARIANTS 1
#define SZEM_VARIANT avx512
#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,fma")))
#define LANES 16
#define WIDE 4 /* vectors of a block: 4 x 4 sums of 32 registers */
#include "correlate.c"
#undef SZEM_VARIANT
#undef TARGET
#undef LANES
#undef WIDE
#define SZEM_VARIANT avx2
#define TARGET __attribute__((target("avx2,fma")))
#define LANES 8
#define WIDE 2 /* 4 x 2 sums of 16 registers */
#include "correlate.c"
#undef SZEM_VARIANT
#undef TARGET
#undef LANES
#undef WIDE
#endif
#define SZEM_VARIANT plain
#define TARGET
#define LANES 4
#if defined(__aarch64__)
#define WIDE 4
#else
#define WIDE 2
#endif
#include "correlate.c"
#undef SZEM_VARIANT

/* The best instruction set of this processor: 0 plain, 1 AVX2, 2 AVX-512. */
int szem_level(void) {
#ifdef HAS_X86_VARIANTS
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("fma"))
    return 2;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return 1;
#endif
  return 0;
}

/*
 * One part of the work, of `parts` that may run at the same time on one target.
 * Returns 0; -1 where there is no memory.
 */
int szem_correlate(const Job *job, const void *pixels, int64_t pitch, int is_uint8, float *target, int part, int parts,
                   int level) {
  const Picture picture = {pixels, pitch, is_uint8};
#ifdef HAS_X86_VARIANTS
  if (level == 2) return correlate_avx512(job, &picture, target, part, parts);
  if (level == 1) return correlate_avx2(job, &picture, target, part, parts);
#endif
  (void)level;
  return correlate_plain(job, &picture, target, part, parts);
}

#else /* once for each instruction set */

typedef float NAME(Vector) __attribute__((vector_size(4 * LANES)));
typedef float NAME(Unaligned) __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
#define VECTOR NAME(Vector)
#define LOAD(p) ((VECTOR)(*(const NAME(Unaligned) *)(p)))
#define STORE(p, v) (*(NAME(Unaligned) *)(p) = (v))

/*
 * R output rows x B vectors. `first` is the scratch row under the first tap of the first output row, at the column of
 * the outputs; `step` floats lie between the rows of one class. Needs at least R - 1 taps in each class: the first
 * R - 1 rows and the last R - 1 serve fewer outputs than those between.
 */
INLINE TARGET void NAME(block)(const Taps *k, const float *first, int64_t pitch, float *const *out, int add,
                               const int R, const int B) {
  VECTOR sum[4][4];
  UNROLL
  for (int r = 0; r < R; r++) {
    UNROLL
    for (int b = 0; b < B; b++) sum[r][b] = add ? LOAD(out[r] + b * LANES) : (VECTOR){0};
  }
  const int64_t step = k->classes * pitch;
  const float *w = k->dense;
  for (int64_t class = 0; class < minimum(k->classes, k->kh); class++) {
    const int64_t n = up(k->kh - class, k->classes);
    for (int64_t x = 0; x < k->kw; x++, w += n) {
      const float *s = first + class * pitch + k->across[x];
      UNROLL
      for (int i = 0; i < R - 1; i++, s += step) {
        UNROLL
        for (int b = 0; b < B; b++) {
          const VECTOR v = LOAD(s + b * LANES);
          UNROLL
          for (int r = 0; r <= i; r++) sum[r][b] += w[i - r] * v;
        }
      }
      for (int64_t i = R - 1; i < n; i++, s += step) {
        UNROLL
        for (int b = 0; b < B; b++) {
          const VECTOR v = LOAD(s + b * LANES);
          UNROLL
          for (int r = 0; r < R; r++) sum[r][b] += w[i - r] * v;
        }
      }
      UNROLL
      for (int i = 0; i < R - 1; i++, s += step) {
        UNROLL
        for (int b = 0; b < B; b++) {
          const VECTOR v = LOAD(s + b * LANES);
          UNROLL
          for (int r = i + 1; r < R; r++) sum[r][b] += w[n + i - r] * v;
        }
      }
    }
  }
  UNROLL
  for (int r = 0; r < R; r++) {
    UNROLL
    for (int b = 0; b < B; b++) STORE(out[r] + b * LANES, sum[r][b]);
  }
}

/* R whole rows of `count` floats. Scratch rows end in a spare vector, so the last block may read beyond them. */
INLINE TARGET void NAME(rows_of)(const Taps *k, const float *first, int64_t pitch, float *const *rows, int64_t count,
                                 int add, const int R) {
  float *out[4];
  int64_t x = 0;
  for (; x + WIDE * LANES <= count; x += WIDE * LANES) {
    for (int r = 0; r < R; r++) out[r] = rows[r] + x;
    NAME(block)(k, first + x, pitch, out, add, R, WIDE);
  }
  for (; x + LANES <= count; x += LANES) {
    for (int r = 0; r < R; r++) out[r] = rows[r] + x;
    NAME(block)(k, first + x, pitch, out, add, R, 1);
  }
  if (x < count) {
    float edge[4][LANES] = {{0}};
    for (int r = 0; r < R; r++) {
      out[r] = edge[r];
      if (add) memcpy(edge[r], rows[r] + x, sizeof(float) * (size_t)(count - x));
    }
    NAME(block)(k, first + x, pitch, out, add, R, 1);
    for (int r = 0; r < R; r++) memcpy(rows[r] + x, edge[r], sizeof(float) * (size_t)(count - x));
  }
}

static TARGET void NAME(rows4)(const Taps *k, const float *first, int64_t pitch, float *const *rows, int64_t count,
                               int add) {
  NAME(rows_of)(k, first, pitch, rows, count, add, 4);
}

static TARGET void NAME(rows2)(const Taps *k, const float *first, int64_t pitch, float *const *rows, int64_t count,
                               int add) {
  NAME(rows_of)(k, first, pitch, rows, count, add, 2);
}

static TARGET void NAME(rows1)(const Taps *k, const float *first, int64_t pitch, float *const *rows, int64_t count,
                               int add) {
  NAME(rows_of)(k, first, pitch, rows, count, add, 1);
}

/* B vectors of one row from a list of taps. */
INLINE TARGET void NAME(listed)(int64_t taps, const int64_t *at, const float *weight, const float *from, float *out,
                                int add, const int B) {
  VECTOR sum[8];
  UNROLL
  for (int b = 0; b < B; b++) sum[b] = add ? LOAD(out + b * LANES) : (VECTOR){0};
  for (int64_t t = 0; t < taps; t++) {
    const float *s = from + at[t];
    UNROLL
    for (int b = 0; b < B; b++) sum[b] += weight[t] * LOAD(s + b * LANES);
  }
  UNROLL
  for (int b = 0; b < B; b++) STORE(out + b * LANES, sum[b]);
}

/* One whole row of `count` floats from a list of taps. */
static TARGET void NAME(row_of_list)(int64_t taps, const int64_t *at, const float *weight, const float *from,
                                     float *row, int64_t count, int add) {
  int64_t x = 0;
  for (; x + 8 * LANES <= count; x += 8 * LANES) NAME(listed)(taps, at, weight, from + x, row + x, add, 8);
  for (; x + LANES <= count; x += LANES) NAME(listed)(taps, at, weight, from + x, row + x, add, 1);
  if (x < count) {
    float edge[LANES] = {0};
    if (add) memcpy(edge, row + x, sizeof(float) * (size_t)(count - x));
    NAME(listed)(taps, at, weight, from + x, edge, add, 1);
    memcpy(row + x, edge, sizeof(float) * (size_t)(count - x));
  }
}

#define COPY(T, C, S) /* n pixels of C values, S pixels apart; the constants let the compiler shuffle vectors */ \
  for (int64_t j = 0; j < n; j++)                                                                                \
    for (int64_t c = 0; c < (C); c++) to[j * (C) + c] = (float)((const T *)from)[j * (S) * (C) + c];
#define COPIES(T)                                                       \
  if (s == 1) {                                                         \
    for (int64_t j = 0; j < n * C; j++) to[j] = (float)((const T *)from)[j]; \
  } else if (C == 1 && s == 2) {                                        \
    COPY(T, 1, 2)                                                       \
  } else if (C == 1 && s == 3) {                                        \
    COPY(T, 1, 3)                                                       \
  } else if (C == 1) {                                                  \
    COPY(T, 1, s)                                                       \
  } else if (C == 3) {                                                  \
    COPY(T, 3, s)                                                       \
  } else if (C == 4) {                                                  \
    COPY(T, 4, s)                                                       \
  } else {                                                              \
    COPY(T, C, s)                                                       \
  }

/* Every s-th pixel of a row, n of them, as float32. */
static TARGET void NAME(copy)(const void *from, int is_uint8, int64_t n, int64_t C, int64_t s, float *restrict to) {
  if (is_uint8) {
    COPIES(uint8_t)
  } else {
    COPIES(float)
  }
}
#undef COPIES
#undef COPY

/*
 * One row of the padded picture, from position `start` on, split by phase: phase p holds positions p, p + s, ...
 * `room` floats lie between phases. Only phases that a tap reads are filled.
 */
static TARGET void NAME(spread)(const Job *job, const Picture *picture, const uint8_t *used, int64_t y, int64_t start,
                                int64_t length, int64_t room, float *to) {
  const int64_t s = job->stride, C = job->channels, W = job->width, size = picture->is_uint8 ? 1 : 4;
  const int64_t before = job->before - start; /* position of the picture's first column */
  const int32_t *map = job->column_map + start;
  if (job->row_map[y] < 0) {
    memset(to, 0, sizeof(float) * (size_t)(s * room));
    return;
  }
  const char *row = picture->pixels + job->row_map[y] * picture->pitch;
  for (int64_t p = 0; p < s; p++, to += room) {
    const int64_t count = up(length - p, s);
    if (!used[p] || !count) continue;
    const int64_t low = minimum(count, up(before - p, s)), high = maximum(low, minimum(count, up(before + W - p, s)));
    for (int64_t j = 0; j < count; j++) {
      if (j == low) j = high; /* those inside are copied at once below */
      if (j == count) break;
      const int32_t column = map[p + j * s];
      for (int64_t c = 0; c < C; c++)
        to[j * C + c] = column < 0 ? 0.0f
                        : picture->is_uint8 ? (float)((const uint8_t *)row)[column * C + c]
                                            : ((const float *)row)[column * C + c];
    }
    if (high > low)
      NAME(copy)(row + (p + low * s - before) * C * size, (int)picture->is_uint8, high - low, C, s, to + low * C);
  }
}

static TARGET int NAME(correlate)(const Job *job, const Picture *picture, float *target, int part, int parts) {
  const int64_t s = job->stride, C = job->channels, kh = job->kh, kw = job->kw, g = gcd(s, job->dy);
  const int64_t classes = s / g, lanes = minimum(job->dy / g, job->rows);
  const int separable = job->weights == NULL;

  /* Strips: as many outputs of a row as let a band be a few times taller than the kernel, for a band's first and last
   * rows are copied for its neighbours too. */
  const int64_t narrow = (int64_t)(SCRATCH_BYTES / sizeof(float)) / (TALL * kh + 4 * classes);
  const int64_t strip = minimum(job->columns, up(maximum(NARROWEST, minimum(WIDEST, narrow)), C));
  const int64_t reach = job->dx * (kw - 1) + 1;
  const int64_t room = (up(s * (strip - 1) + reach, s) * C + LINE - 1) / LINE * LINE; /* floats of a phase */
  const int64_t spare = 8 * LANES;                                                   /* read beyond, never kept */
  const int64_t line = s * room + spare;
  int64_t pitch = separable ? up(strip * C, LINE) * LINE + spare : line;
  pitch = up(pitch, LINE) * LINE;
  if (pitch / LINE % 2 == 0) pitch += LINE;

  /* Bands: output rows whose input rows fit the scratch. */
  const int64_t fit = (int64_t)SCRATCH_BYTES / (int64_t)sizeof(float) / pitch;
  const int64_t band = maximum(4, (fit - kh) / classes / 4 * 4);
  const int64_t held = (band - 1) * classes + kh;

  int status = -1;
  float *scratch = malloc(sizeof(float) * (size_t)(held * pitch + line + 2 * LINE));
  float *dense = malloc(sizeof(float) * (size_t)(kh * kw));
  float *listed = malloc(sizeof(float) * (size_t)(kh * kw));
  int64_t *at = malloc(sizeof(int64_t) * (size_t)(kh * kw));
  int64_t *across = malloc(sizeof(int64_t) * (size_t)kw);
  uint8_t *used = calloc((size_t)s, 1);
  if (!scratch || !dense || !listed || !at || !across || !used) goto done;
  float *rows_at = (float *)(((uintptr_t)scratch + 63) / 64 * 64); /* on a cache line */
  float *whole = rows_at + held * pitch;                          /* one spread row, for separable kernels */

  for (int64_t x = 0; x < kw; x++) {
    used[job->dx * x % s] = 1;
    across[x] = job->dx * x % s * room + job->dx * x / s * C;
  }
  const int64_t zero = 0;
  Taps k = {classes, kh, separable ? 1 : kw, dense, separable ? &zero : across, 0, at, listed};
  float *w = dense;
  for (int64_t class = 0; class < minimum(classes, kh); class++)
    for (int64_t x = 0; x < k.kw; x++)
      for (int64_t y = class; y < kh; y += classes) *w++ = separable ? job->column[y] : job->weights[y * kw + x];
  for (int64_t y = 0; y < kh; y++)
    for (int64_t x = 0; x < k.kw; x++) {
      const float weight = separable ? job->column[y] : job->weights[y * kw + x];
      if (weight == 0.0f) continue;
      at[k.taps] = y * pitch + k.across[x];
      listed[k.taps++] = weight;
    }
  const int is_list = 4 * k.taps <= 3 * kh * k.kw; /* few zeros: multiplying them is cheaper than a list */
  const int tall = kh / classes >= 3;              /* enough taps in each class for blocks of four rows */

  int64_t piece = 0;
  for (int64_t left = 0; left < job->columns; left += strip) {
    const int64_t columns = minimum(strip, job->columns - left), count = columns * C;
    for (int64_t lane = 0; lane < lanes; lane++) {
      const int64_t outputs = up(job->rows - lane, job->dy / g);
      int64_t bands = up(outputs, band);
      if (lanes * bands < 2 * parts) bands = maximum(bands, minimum(parts, outputs)); /* work for every thread */
      for (int64_t b = 0; b < bands; b++, piece++) {
        if (piece % parts != part) continue;
        const int64_t size = up(up(outputs, bands), 4) * 4; /* whole blocks */
        int64_t low = minimum(outputs, b * size);
        const int64_t high = minimum(outputs, low + size);
        /* the band's rows, in the scratch */
        for (int64_t i = 0; i < (high - low - 1) * classes + kh; i++) {
          if (i % classes >= kh) continue; /* the stride passes over it */
          const int64_t y = s * lane + job->dy * (low * classes + i);
          float *to = rows_at + i * pitch;
          if (!separable) {
            NAME(spread)(job, picture, used, y, s * left, s * (columns - 1) + reach, room, to);
          } else if (job->row_map[y] < 0) {
            memset(to, 0, sizeof(float) * (size_t)count);
          } else {
            NAME(spread)(job, picture, used, y, s * left, s * (columns - 1) + reach, room, whole);
            NAME(row_of_list)(kw, across, job->row, whole, to, count, 0);
          }
        }
        /* the band's outputs */
        const float *first = rows_at;
        while (low < high) {
          float *out[4];
          const int64_t R = is_list ? 1 : tall && high - low >= 4 ? 4 : high - low >= 2 ? 2 : 1;
          for (int64_t r = 0; r < R; r++)
            out[r] = target + ((lane + job->dy / g * (low + r)) * job->columns + left) * C;
          if (is_list)
            NAME(row_of_list)(k.taps, at, listed, first, out[0], count, (int)job->add);
          else if (R == 4)
            NAME(rows4)(&k, first, pitch, out, count, (int)job->add);
          else if (R == 2)
            NAME(rows2)(&k, first, pitch, out, count, (int)job->add);
          else
            NAME(rows1)(&k, first, pitch, out, count, (int)job->add);
          first += R * classes * pitch;
          low += R;
        }
      }
    }
  }
  status = 0;
done:
  free(scratch);
  free(dense);
  free(listed);
  free(at);
  free(across);
  free(used);
  return status;
}

#undef VECTOR
#undef LOAD
#undef STORE
#endif
