# package-lock.json, with the address of each package, which it leaves out so that any registry will do (.npmrc). What
# nixpkgs has for npm, importNpmLock and fetchNpmDeps, passes over packages without one. The digests stay those of
# the lock, so that a registry can refuse a package but not change it.
{ packageLock, registry }:

let
  inherit (builtins) attrNames concatStringsSep elemAt filter isString length mapAttrs match split;
  base = match "(https?://.*[^/])/?" registry;
  last = list: elemAt list (length list - 1);
  # node_modules/a/node_modules/@scope/b is @scope/b.
  nameOf = path: last (filter isString (split "node_modules/" path));
  fileOf = name: last (filter isString (split "/" name));
  addressOf = path: version:
    let name = nameOf path; in
    "${elemAt base 0}/${name}/-/${fileOf name}-${version}.tgz";
  # As the lock is now: one that comes from elsewhere or under another name has no address that could be told from it.
  plain = package: package ? version && package ? integrity && !(package ? link) && !(package ? name);
  odd = filter (path: path != "" && !(plain packageLock.packages.${path})) (attrNames packageLock.packages);
in
if base == null then
  throw "registry is ${registry}: expected the address of a registry of npm, with http:// or https://"
else if odd != [ ] then
  throw "package-lock.json: no address follows from ${concatStringsSep ", " odd}: see nix/lock.nix"
else
  packageLock // {
    packages = mapAttrs
      (path: package: if path == "" then package else { resolved = addressOf path package.version; } // package)
      packageLock.packages;
  }
