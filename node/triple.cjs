'use strict';

/** The platform as the native addon's packages are named, such as `linux-x64-gnu`. */
function triple() {
  const { platform, arch } = process;
  if (platform === 'linux') {
    const gnu = process.report?.getReport().header.glibcVersionRuntime !== undefined;
    return `linux-${arch}-${gnu ? 'gnu' : 'musl'}`;
  }
  return platform === 'win32' ? `win32-${arch}-msvc` : `${platform}-${arch}`;
}

module.exports = { triple };
