'use strict';

/** A function that runs the first time only. */
function once(run) {
  let hasRun = false;
  return () => {
    if (hasRun) return;
    hasRun = true;
    run();
  };
}

module.exports = { once };
