# package.nix built where there is no nixpkgs: what it takes of nixpkgs is here, made of the programs of this machine,
# and does the same steps in the same order. `tarballs` is where a tarball lies, by its digest, such as in the
# cache of npm. What is for development or for another system need not be there: npm does not look at it.
{ tarballs, node, npm, registry }:

let
  inherit (builtins) attrNames baseNameOf elem filterSource fromJSON mapAttrs readFile removeAttrs;

  build = name: attributes: script: derivation (attributes // {
    inherit name;
    system = builtins.currentSystem;
    builder = "/bin/bash";
    # Nix kills who closes its output, as coreutils do before they end: the last one is bash itself.
    args = [ "-euc" "${script}\n:" ];
    PATH = "${attributes.PATH or ""}:/usr/bin:/bin";
  });

  lib = {
    importJSON = file: fromJSON (readFile file);
    # That of nixpkgs leaves out what git has of its own; a checkout also has what is not in git.
    cleanSource = filterSource (path: _: !elem (baseNameOf path) [ ".git" "node_modules" "work" "dist" ]);
    licenses.asl20 = "asl20";
  };

  nodejs_24 = build "nodejs" { } ''
    mkdir -p $out/bin
    ln -s ${node} $out/bin/node
    ln -s ${npm} $out/bin/npm
  '';

  # Refused by Nix when its digest is another one.
  tarball = module: build (baseNameOf module.resolved)
    { outputHash = module.integrity; outputHashMode = "flat"; }
    "cp ${tarballs.${module.integrity}} $out";

  importNpmLock = {
    npmConfigHook = ''
      mv package.json .package.json.orig
      mv package-lock.json .package-lock.json.orig
      cp --no-preserve=mode $npmDeps/package.json package.json
      cp --no-preserve=mode $npmDeps/package-lock.json package-lock.json
      npm config set offline true
      npm install --ignore-scripts $npmFlags
      npm rebuild $npmFlags
    '';
    __functor = _: { npmRoot, packageLock }:
      let
        package = lib.importJSON (npmRoot + "/package.json");
        fileOf = module:
          if tarballs ? ${module.integrity} then "${tarball module}" else "/not-needed/${baseNameOf module.resolved}";
        packages = mapAttrs
          (path: module: if path == "" then module else module // { resolved = "file:${fileOf module}"; })
          packageLock.packages;
        fromStore = mapAttrs (name: _: packages."node_modules/${name}".resolved);
        changed = package // {
          dependencies = fromStore package.dependencies;
          devDependencies = fromStore package.devDependencies;
        };
      in
      build "sources"
        {
          passAsFile = [ "package" "packageLock" ];
          package = builtins.toJSON changed;
          packageLock = builtins.toJSON (packageLock // { inherit packages; });
        }
        ''
          mkdir $out
          cp "$packagePath" $out/package.json
          cp "$packageLockPath" $out/package-lock.json
        '';
  };

  buildNpmPackage = package: build "${package.pname}-${package.version}"
    (removeAttrs package [ "meta" "nodejs" "npmConfigHook" "nativeBuildInputs" "buildInputs" ] // {
      PATH = "${package.nodejs}/bin";
    })
    ''
      export HOME=$TMPDIR
      runHook() { :; }
      makeWrapper() {
        [ "$3" = --add-flags ]
        printf '#!/bin/bash\nexec %s %s "$@"\n' "$1" "$4" >"$2"
        chmod +x "$2"
      }
      cp -r --no-preserve=mode $src source
      cd source
      ${package.npmConfigHook}
      eval "$installPhase"
    '';
in
import ../package.nix {
  inherit lib buildNpmPackage importNpmLock nodejs_24 registry;
  stdenv.cc.cc.lib = null;
  makeWrapper = null;
  autoPatchelfHook = null;
}
