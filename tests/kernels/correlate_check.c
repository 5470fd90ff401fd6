/* Runs the compiled core on random problems beside the definition; compiled with sanitizers by test_compiled.py. */
#include "correlate.c"

#include <math.h>
#include <stdio.h>

static uint32_t state = 1;
static int64_t random_in(int64_t low, int64_t high) {
  state = state * 1664525u + 1013904223u;
  return low + (int64_t)((state >> 8) % (uint32_t)(high - low + 1));
}
static float random_weight(void) { return (float)random_in(-40, 40) / 8; }

/* A map whose entries are pixels or -1; those from `before` on are the picture itself, as everywhere. */
static int32_t *random_map(int64_t length, int64_t before, int64_t size) {
  int32_t *map = malloc(sizeof(int32_t) * (size_t)length);
  for (int64_t i = 0; i < length; i++)
    map[i] = (int32_t)(i >= before && i < before + size ? i - before : random_in(-1, size - 1));
  return map;
}

static int check(int level) {
  Job job = {.width = random_in(1, 90), .channels = random_in(1, 5), .rows = random_in(1, 24), .columns = random_in(1, 90),
             .kh = random_in(1, 8), .kw = random_in(1, 8), .stride = random_in(1, 5), .dy = random_in(1, 5),
             .dx = random_in(1, 5), .add = random_in(0, 1)};
  const int64_t height = random_in(1, 40), above = random_in(0, 6), is_uint8 = random_in(0, 1), C = job.channels;
  const int64_t tall = job.stride * (job.rows - 1) + job.dy * (job.kh - 1) + 1;
  const int64_t wide = job.stride * (job.columns - 1) + job.dx * (job.kw - 1) + 1;
  job.before = random_in(-3, 9);
  int32_t *row_map = random_map(tall, above, height), *column_map = random_map(wide, job.before, job.width);
  job.row_map = row_map, job.column_map = column_map;
  const int64_t values = height * job.width * C, results = job.rows * job.columns * C;
  uint8_t *bytes = malloc((size_t)values);
  float *floats = malloc(sizeof(float) * (size_t)values), *target = malloc(sizeof(float) * (size_t)results);
  float *kept = malloc(sizeof(float) * (size_t)results), *weights = malloc(sizeof(float) * (size_t)(job.kh * job.kw));
  float *column = malloc(sizeof(float) * (size_t)job.kh), *row = malloc(sizeof(float) * (size_t)job.kw);
  for (int64_t i = 0; i < values; i++) floats[i] = bytes[i] = (uint8_t)random_in(0, 255);
  for (int64_t i = 0; i < results; i++) kept[i] = target[i] = (float)random_in(-9, 9);
  for (int64_t m = 0; m < job.kh; m++) column[m] = random_weight();
  for (int64_t n = 0; n < job.kw; n++) row[n] = random_weight();
  const int kind = (int)random_in(0, 2); /* full, with many zeros, separable */
  for (int64_t m = 0; m < job.kh; m++)
    for (int64_t n = 0; n < job.kw; n++)
      weights[m * job.kw + n] =
          kind == 2 ? column[m] * row[n] : kind == 1 && random_in(0, 2) ? 0.0f : random_weight() + 0.01f;
  if (kind == 2)
    job.column = column, job.row = row;
  else
    job.weights = weights;

  const int parts = (int)random_in(1, 3);
  int wrong = 0;
  for (int part = 0; part < parts; part++)
    wrong |= szem_correlate(&job, is_uint8 ? (void *)bytes : (void *)floats, job.width * C * (is_uint8 ? 1 : 4),
                            (int)is_uint8, target, part, parts, level);
  for (int64_t i = 0; i < job.rows; i++)
    for (int64_t j = 0; j < job.columns; j++)
      for (int64_t c = 0; c < C; c++) {
        const int64_t at = (i * job.columns + j) * C + c;
        double sum = job.add ? kept[at] : 0;
        for (int64_t m = 0; m < job.kh; m++)
          for (int64_t n = 0; n < job.kw; n++) {
            const int64_t y = row_map[job.stride * i + job.dy * m], x = column_map[job.stride * j + job.dx * n];
            if (y >= 0 && x >= 0) sum += (double)weights[m * job.kw + n] * floats[(y * job.width + x) * C + c];
          }
        if (!(fabs(sum - target[at]) <= 1e-3 + 1e-5 * fabs(sum)) && !wrong++)
          printf("level %d: %g instead of %g at %d %d\n", level, target[at], sum, (int)i, (int)j);
      }
  free(row_map), free(column_map), free(bytes), free(floats), free(target), free(kept), free(weights), free(column), free(row);
  return wrong;
}

int main(void) {
  int wrong = 0;
  for (int level = 0; level <= szem_level(); level++)
    for (int i = 0; i < 150 && !wrong; i++) wrong = check(level);
  return wrong != 0;
}
