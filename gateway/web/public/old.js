// For browsers that know no modules: a sentence instead of a page that stays empty.
document.addEventListener("DOMContentLoaded", function () {
  document.getElementById("empty").textContent =
    "This browser is too old for this page: use Chrome or Edge 123, Firefox 120, Safari 17.5 or later.";
});
