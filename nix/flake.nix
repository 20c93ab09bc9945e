# `nix build ./nix`, or as an input: `git+https://…?dir=nix`.
{
  description = "UltraCloud: a whole cloud that runs as one supervision tree";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs = { self, nixpkgs }:
    let
      systems = [ "x86_64-linux" "aarch64-linux" ];
      forAll = make: nixpkgs.lib.genAttrs systems (system: make nixpkgs.legacyPackages.${system});
      withPackage = { pkgs, lib, ... }: {
        imports = [ ./modules ];
        ultracloud.node.package = lib.mkDefault self.packages.${pkgs.stdenv.hostPlatform.system}.default;
      };
    in
    {
      packages = forAll (pkgs: { default = pkgs.callPackage ./package.nix { }; });
      devShells = forAll (pkgs: { default = import ./shell.nix { inherit pkgs; }; });
      nixosModules = {
        default = withPackage;
        node = ./modules/node.nix;
        chainfire = ./modules/chainfire.nix;
      };
    };
}
