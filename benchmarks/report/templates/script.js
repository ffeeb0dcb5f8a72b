"use strict";
// A spectrogram shows where its player stands, and a click on it moves the player there.
for (const clip of document.querySelectorAll(".clip")) {
  const audio = clip.querySelector("audio");
  const image = clip.querySelector(".spectrogram img");
  const cursor = clip.querySelector(".cursor");
  if (!audio || !image) continue;
  const seconds = Number(clip.dataset.seconds);
  const draw = () => {
    cursor.style.display = "block";
    cursor.style.left = `${Math.min(100, (100 * audio.currentTime) / seconds)}%`;
    if (!audio.paused) requestAnimationFrame(draw);
  };
  audio.addEventListener("play", () => {
    for (const other of document.querySelectorAll("audio")) if (other !== audio) other.pause();
    draw();
  });
  audio.addEventListener("seeked", draw);
  image.addEventListener("click", (event) => {
    const box = image.getBoundingClientRect();
    audio.currentTime = (seconds * (event.clientX - box.left)) / box.width;
    audio.play();
  });
}
