# An input: `git+https://…?dir=nix`. The package needs to know a registry of npm, and so is a function here.
{
  description = "UltraCloud: a whole cloud that runs as one supervision tree";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs = { nixpkgs, ... }:
    let
      systems = [ "x86_64-linux" "aarch64-linux" ];
      forAll = make: nixpkgs.lib.genAttrs systems (system: make nixpkgs.legacyPackages.${system});
    in
    {
      lib.package = { pkgs, registry }: pkgs.callPackage ./package.nix { inherit registry; };
      devShells = forAll (pkgs: { default = import ./shell.nix { inherit pkgs; }; });
      nixosModules = {
        default = ./modules;
        node = ./modules/node.nix;
        chainfire = ./modules/chainfire.nix;
      };
    };
}
