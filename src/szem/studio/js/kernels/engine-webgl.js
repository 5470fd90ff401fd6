// Carries plans out on the graphics card: WebGL2 with float textures. Same numbers as engine-arrays.js, to float32 dust.

import { geometryOf, tapsOf } from "./convolve.js";
import { channelsOf, convolutionsOf, optionsOf, stepsOf } from "./plan.js";
import { DISPLAY, EDGES_OR_KERNEL, POOL, TO_NUMBERS, VERTEX } from "./shaders.js";

const BORDER_CODE = { reflect: 0, replicate: 1, constant: 2, wrap: 3, valid: 2 };
const VIEW_CODE = { clipped: 0, signed: 1, direction: 2, strength: 3 };

/** Whether a software renderer stands in for the graphics card; typed arrays are faster than that. */
export function isSoftware(renderer) {
  return /swiftshader|llvmpipe|softpipe|software|basic render/i.test(renderer);
}

/** @returns an engine, or null where there is no WebGL2 with float textures */
export function createWebglEngine() {
  const surface = document.createElement("canvas");
  const gl = surface.getContext("webgl2", { alpha: false, antialias: false, depth: false, premultipliedAlpha: false });
  if (!gl || !gl.getExtension("EXT_color_buffer_float")) return null;
  const info = gl.getExtension("WEBGL_debug_renderer_info");
  const renderer = String(gl.getParameter(info ? info.UNMASKED_RENDERER_WEBGL : gl.RENDERER));

  const programs = {
    toNumbers: build(gl, TO_NUMBERS),
    kernel: build(gl, EDGES_OR_KERNEL),
    pool: build(gl, POOL),
    display: build(gl, DISPLAY),
  };
  gl.pixelStorei(gl.UNPACK_COLORSPACE_CONVERSION_WEBGL, gl.NONE);
  gl.disable(gl.DITHER);
  const input = texture(gl);
  const tapsTexture = texture(gl);
  const targets = new Map(); // one float texture with its framebuffer for each step
  let last = null;
  let lost = false;
  surface.addEventListener("webglcontextlost", () => (lost = true));

  function target(key, height, width) {
    let found = targets.get(key);
    if (!found) {
      found = { texture: texture(gl), frame: gl.createFramebuffer(), height: 0, width: 0 };
      targets.set(key, found);
    }
    if (found.height !== height || found.width !== width) {
      gl.bindTexture(gl.TEXTURE_2D, found.texture);
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA32F, width, height, 0, gl.RGBA, gl.FLOAT, null);
      gl.bindFramebuffer(gl.FRAMEBUFFER, found.frame);
      gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, found.texture, 0);
      Object.assign(found, { height, width });
    }
    return found;
  }

  function pass(program, from, to, set) {
    gl.useProgram(program.handle);
    gl.bindFramebuffer(gl.FRAMEBUFFER, to ? to.frame : null);
    gl.viewport(0, 0, to ? to.width : surface.width, to ? to.height : surface.height);
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, from);
    gl.uniform1i(program.at("source"), 0);
    set(program.at);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  }

  function loadTaps(rowsA, rowsB, { dilation, operation }) {
    const merged = new Map();
    [rowsA, rowsB].forEach((rows, which) => {
      for (const { dy, dx, weight } of rows ? tapsOf(rows, { dilation, operation }) : []) {
        const key = `${dy},${dx}`;
        const tap = merged.get(key) ?? [dx, dy, 0, 0];
        tap[2 + which] = weight;
        merged.set(key, tap);
      }
    });
    const list = new Float32Array([...merged.values()].flat());
    gl.activeTexture(gl.TEXTURE1);
    gl.bindTexture(gl.TEXTURE_2D, tapsTexture);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA32F, merged.size, 1, 0, gl.RGBA, gl.FLOAT, list);
    return merged.size;
  }

  function convolve(key, from, to, rowsA, rowsB, options) {
    const out = target(key, to.height, to.width);
    const count = loadTaps(rowsA, rowsB, options);
    const { top, left } = to;
    pass(programs.kernel, from.texture, out, (at) => {
      gl.uniform1i(at("taps"), 1);
      gl.uniform1i(at("count"), count);
      gl.uniform1i(at("edges"), rowsB ? 1 : 0);
      gl.uniform2i(at("size"), from.width, from.height);
      gl.uniform2i(at("origin"), left, top);
      gl.uniform1i(at("stride"), options.stride);
      gl.uniform1i(at("border"), BORDER_CODE[options.border]);
    });
    return out;
  }

  return {
    name: "webgl",
    renderer,
    software: isSoftware(renderer),

    /** @param source {{pixels: TexImageSource|ImageData, height: number, width: number}} */
    run(source, plan) {
      if (lost) throw new Error("the graphics card's context was lost");
      const { height, width } = source;
      gl.activeTexture(gl.TEXTURE0);
      gl.bindTexture(gl.TEXTURE_2D, input);
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, gl.RGBA, gl.UNSIGNED_BYTE, source.pixels);
      const steps = stepsOf(height, width, plan);
      let now = target("numbers", height, width);
      pass(programs.toNumbers, input, now, (at) => gl.uniform1i(at("grey"), channelsOf(plan) === 1 ? 1 : 0));
      const empty = steps.some((step) => step.numbers === 0);
      if (!empty) {
        convolutionsOf(plan).forEach(({ rows, stride }, k) => {
          const options = optionsOf(plan, stride);
          const size = geometryOf(now.height, now.width, rows, options);
          now = convolve(`kernel ${k}`, now, size, rows, plan.mode === "edges" ? plan.kernels[1] : null, options);
        });
        if (plan.pool !== "none") {
          const { height: h, width: w } = steps.at(-1);
          const out = target("pool", h, w);
          pass(programs.pool, now.texture, out, (at) => {
            gl.uniform1i(at("window"), plan.window);
            gl.uniform1i(at("rule"), plan.pool === "average" ? 1 : plan.mode === "edges" ? 2 : 0);
          });
          now = out;
        }
      }
      last = { out: now, channels: channelsOf(plan), edges: plan.mode === "edges", empty };
    },

    draw(canvas, view, { zeros = false, full = 255 } = {}) {
      if (!last || last.empty) return;
      const { height, width } = last.out;
      if (surface.width !== width) surface.width = width;
      if (surface.height !== height) surface.height = height;
      pass(programs.display, last.out.texture, null, (at) => {
        gl.uniform1i(at("view"), VIEW_CODE[view]);
        gl.uniform1i(at("height"), height);
        gl.uniform1i(at("zeros"), zeros ? 1 : 0);
        gl.uniform1f(at("full"), full);
      });
      if (canvas.width !== width) canvas.width = width;
      if (canvas.height !== height) canvas.height = height;
      canvas.getContext("2d").drawImage(surface, 0, 0);
    },

    read() {
      const { out, channels, edges, empty } = last;
      if (empty) return [{ data: new Float32Array(0), height: 0, width: 0 }];
      const all = new Float32Array(out.height * out.width * 4);
      gl.bindFramebuffer(gl.FRAMEBUFFER, out.frame);
      gl.readPixels(0, 0, out.width, out.height, gl.RGBA, gl.FLOAT, all);
      return Array.from({ length: edges ? 3 : channels }, (_, channel) => {
        const data = new Float32Array(out.height * out.width);
        for (let i = 0, j = channel; i < data.length; i++, j += 4) data[i] = all[j];
        return { data, height: out.height, width: out.width };
      });
    },

    /** Wait until the card is done, so that a measured time is the whole time. */
    finish() {
      gl.finish();
    },

    close() {
      gl.getExtension("WEBGL_lose_context")?.loseContext();
    },
  };
}

function texture(gl) {
  const handle = gl.createTexture();
  gl.bindTexture(gl.TEXTURE_2D, handle);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
  return handle;
}

function build(gl, fragment) {
  const handle = gl.createProgram();
  for (const [kind, text] of [
    [gl.VERTEX_SHADER, VERTEX],
    [gl.FRAGMENT_SHADER, fragment],
  ]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, text);
    gl.compileShader(shader);
    if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw new Error(gl.getShaderInfoLog(shader));
    gl.attachShader(handle, shader);
  }
  gl.linkProgram(handle);
  if (!gl.getProgramParameter(handle, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(handle));
  const places = new Map();
  const at = (name) => {
    if (!places.has(name)) places.set(name, gl.getUniformLocation(handle, name));
    return places.get(name);
  };
  return { handle, at };
}
