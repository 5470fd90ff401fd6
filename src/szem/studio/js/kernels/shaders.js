// The shaders of engine-webgl.js. Row 0 of every texture is the picture's top row.

const HEAD = `#version 300 es
precision highp float;
precision highp int;
precision highp sampler2D;
uniform sampler2D source;
out vec4 answer;
`;

/** One triangle that covers everything. */
export const VERTEX = `#version 300 es
void main() {
  vec2 corner = vec2(gl_VertexID == 1 ? 3.0 : -1.0, gl_VertexID == 2 ? 3.0 : -1.0);
  gl_Position = vec4(corner, 0.0, 1.0);
}`;

/** Bytes to numbers 0..255; grey exactly as planes.js greyOf. */
export const TO_NUMBERS = `${HEAD}
uniform int grey;
void main() {
  vec3 rgb = round(texelFetch(source, ivec2(gl_FragCoord.xy), 0).rgb * 255.0);
  if (grey == 1) {
    int sum = 9798 * int(rgb.r) + 19235 * int(rgb.g) + 3735 * int(rgb.b) + 16384;
    rgb = vec3(float(sum >> 15));
  }
  answer = vec4(rgb, 1.0);
}`;

/** One kernel on three channels, or (edges) two kernels on one: strength, across, down. */
export const EDGES_OR_KERNEL = `${HEAD}
uniform sampler2D taps;
uniform int count;
uniform int edges;
uniform ivec2 size;
uniform ivec2 origin;
uniform int stride;
uniform int border;

int place(int i, int n) {
  if (i >= 0 && i < n) return i;
  if (border == 1) return clamp(i, 0, n - 1);
  if (border == 2) return -1;
  if (border == 3) return ((i % n) + n) % n;
  if (n == 1) return 0;
  int period = 2 * n - 2;
  int j = ((i % period) + period) % period;
  return j < n ? j : period - j;
}

void main() {
  ivec2 centre = ivec2(gl_FragCoord.xy) * stride + origin;
  vec3 sum = vec3(0.0);
  vec2 pair = vec2(0.0);
  for (int k = 0; k < count; k++) {
    vec4 tap = texelFetch(taps, ivec2(k, 0), 0);
    int x = place(centre.x + int(tap.x), size.x);
    int y = place(centre.y + int(tap.y), size.y);
    vec3 value = x < 0 || y < 0 ? vec3(0.0) : texelFetch(source, ivec2(x, y), 0).rgb;
    sum += tap.z * value;
    pair += tap.zw * value.r;
  }
  answer = vec4(edges == 1 ? vec3(length(pair), pair) : sum, 1.0);
}`;

/** rule 0: greatest; 1: mean; 2: the whole vector with the greatest first number (edges). */
export const POOL = `${HEAD}
uniform int window;
uniform int rule;
void main() {
  ivec2 corner = ivec2(gl_FragCoord.xy) * window;
  vec3 kept = texelFetch(source, corner, 0).rgb;
  vec3 sum = vec3(0.0);
  for (int j = 0; j < window; j++) {
    for (int i = 0; i < window; i++) {
      vec3 value = texelFetch(source, corner + ivec2(i, j), 0).rgb;
      sum += value;
      if (rule == 0) kept = max(kept, value);
      else if (rule == 2 && value.r > kept.r) kept = value;
    }
  }
  answer = vec4(rule == 1 ? sum / float(window * window) : kept, 1.0);
}`;

/** Numbers to colours, as planes.js paints them. view 0 clipped, 1 signed, 2 direction, 3 strength. */
export const DISPLAY = `${HEAD}
uniform int view;
uniform int height;
uniform int zeros;
uniform float full;
const vec3 MINUS = vec3(0.0, 92.0, 175.0) / 255.0;
const vec3 NONE = vec3(250.0) / 255.0;
const vec3 PLUS = vec3(214.0, 96.0, 0.0) / 255.0;
const vec3 MARK = vec3(255.0, 196.0, 0.0) / 255.0;
const vec3 RING[4] = vec3[4](
  vec3(255.0, 122.0, 26.0) / 255.0, vec3(245.0, 230.0, 80.0) / 255.0,
  vec3(90.0, 190.0, 245.0) / 255.0, vec3(170.0, 105.0, 225.0) / 255.0);

vec3 directionColour(float angle) {
  float turn = mod(angle / 1.5707963267948966, 4.0);
  int from = int(floor(turn)) % 4;
  return mix(RING[from], RING[(from + 1) % 4], turn - floor(turn));
}

void main() {
  ivec2 at = ivec2(gl_FragCoord.x, float(height) - gl_FragCoord.y);
  vec3 value = texelFetch(source, at, 0).rgb;
  vec3 colour;
  if (view == 1) {
    float v = (value.r + value.g + value.b) / 3.0 / full;
    colour = mix(NONE, v < 0.0 ? MINUS : PLUS, min(1.0, abs(v)));
  } else if (view == 2) {
    colour = directionColour(value.r > 0.0 ? atan(value.b, value.g) : 0.0) * min(1.0, value.r / 255.0);
  } else if (view == 3) {
    colour = vec3(value.r / 255.0);
  } else {
    colour = value / 255.0;
  }
  bool none = view >= 2 ? abs(value.r) < 1e-3 : all(lessThan(abs(value), vec3(1e-3)));
  if (zeros == 1 && none) colour = MARK;
  answer = vec4(colour, 1.0);
}`;
