// What a picture's brightness says: how sharp it is and how it is exposed. Nothing here knows the page.

/** The brightness of each pixel, 0 to 255, of RGBA bytes (the weights of ITU-R BT.709). */
export function luma(rgba) {
  const out = new Uint8ClampedArray(rgba.length / 4);
  for (let i = 0, p = 0; i < out.length; i += 1, p += 4) {
    out[i] = 0.2126 * rgba[p] + 0.7152 * rgba[p + 1] + 0.0722 * rgba[p + 2];
  }
  return out;
}

/** How many pixels have each brightness. */
export function histogram(luma) {
  const bins = new Uint32Array(256);
  for (const value of luma) bins[value] += 1;
  return bins;
}

/** The shares of pixels at both ends. JPEG moves a value by one now and then, so the ends are two values wide. */
export function clipping(bins) {
  const all = bins.reduce((sum, bin) => sum + bin, 0) || 1;
  return { dark: (bins[0] + bins[1]) / all, bright: (bins[254] + bins[255]) / all };
}

/** The variance of the Laplacian: grows with fine detail, falls with blur. */
export function sharpness(luma, width, height) {
  let [sum, squares, count] = [0, 0, 0];
  for (let y = 1; y < height - 1; y += 1) {
    for (let x = 1, i = y * width + 1; x < width - 1; x += 1, i += 1) {
      const edge = luma[i - 1] + luma[i + 1] + luma[i - width] + luma[i + width] - 4 * luma[i];
      sum += edge;
      squares += edge * edge;
      count += 1;
    }
  }
  return count ? squares / count - (sum / count) ** 2 : 0;
}
