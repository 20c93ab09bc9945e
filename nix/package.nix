# The package: sources as they are, which Node runs without a build, with the dependencies of package-lock.json.
# `registry` is the address of the registry of npm to fetch them from, as `npm config get registry` says it; it has
# to keep them at <name>/-/<file>-<version>.tgz.
{ lib, stdenv, buildNpmPackage, importNpmLock, nodejs_24, makeWrapper, autoPatchelfHook, registry }:

buildNpmPackage {
  pname = "ultracloud";
  version = (lib.importJSON ../package.json).version;
  src = lib.cleanSource ../.;
  nodejs = nodejs_24;

  # From package-lock.json itself, so that there is no second hash to keep.
  npmDeps = importNpmLock {
    npmRoot = ../.;
    packageLock = import ./lock.nix { inherit registry; packageLock = lib.importJSON ../package-lock.json; };
  };
  npmConfigHook = importNpmLock.npmConfigHook;
  # Node comes from here, and no package may fetch anything.
  npmFlags = [ "--ignore-scripts" "--omit=dev" ];
  dontNpmBuild = true;

  nativeBuildInputs = [ makeWrapper autoPatchelfHook ];
  # For the stores' native code, which comes compiled.
  buildInputs = [ stdenv.cc.cc.lib ];
  autoPatchelfIgnoreMissingDeps = [ "libc.musl-*" ];

  # Not below node_modules: there Node strips no types. The package.json that was installed with, and what npm notes of
  # it, name the tarballs in the store: with them the package would keep all of these, also those for development.
  installPhase = ''
    runHook preInstall
    mkdir -p $out/share/ultracloud $out/bin
    rm node_modules/.package-lock.json
    cp -r protocols actors supervisors chaos node_modules $out/share/ultracloud/
    cp ${../package.json} $out/share/ultracloud/package.json
    makeWrapper ${nodejs_24}/bin/node $out/bin/ultracloud \
      --add-flags $out/share/ultracloud/supervisors/main.ts
    runHook postInstall
  '';

  meta = {
    description = "A whole cloud that runs as one supervision tree";
    license = lib.licenses.asl20;
    platforms = [ "x86_64-linux" "aarch64-linux" ];
    mainProgram = "ultracloud";
  };
}
