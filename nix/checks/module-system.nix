# As much of nixpkgs' lib as the modules here use, for machines that have Nix and no nixpkgs: options with types
# that check, submodules, imports, and definitions that are merged. Stricter than the original where it is not the
# same: two definitions of one value are a mistake unless they are lists or sets.
rec {
  types = rec {
    mk = name: check: { inherit name check; merge = path: value: if check value then value else
      throw "${path}: expected ${name}, got ${builtins.toJSON value}"; };
    str = mk "a string" builtins.isString;
    nonEmptyStr = mk "a string that is not empty" (value: builtins.isString value && value != "");
    strMatching = pattern: mk "a string like ${pattern}"
      (value: builtins.isString value && builtins.match pattern value != null);
    bool = mk "a boolean" builtins.isBool;
    package = mk "a package" (value: builtins.isAttrs value || builtins.isString value);
    enum = words: mk "one of ${builtins.toJSON words}" (value: builtins.elem value words);
    ints.between = low: high: mk "an integer from ${toString low} to ${toString high}"
      (value: builtins.isInt value && value >= low && value <= high);
    numbers.between = low: high: mk "a number from ${toString low} to ${toString high}"
      (value: (builtins.isInt value || builtins.isFloat value) && value >= low && value <= high);
    nullOr = inner: { name = "null or ${inner.name}"; merge = path: value:
      if value == null then null else inner.merge path value; };
    listOf = inner: { name = "a list"; merge = path: value:
      if !builtins.isList value then throw "${path}: expected a list" else
      builtins.genList (index: inner.merge "${path}.${toString index}" (builtins.elemAt value index)) (builtins.length value); };
    submodule = { options }: { name = "a set"; merge = path: value:
      if !builtins.isAttrs value then throw "${path}: expected a set" else evalOptions path options value; };
  };

  mkOption = option: option // { _type = "option"; };
  mkEnableOption = what: mkOption { type = types.bool; default = false; description = "Whether to enable ${what}."; };
  mkIf = condition: content: { _type = "if"; inherit condition content; };
  mkDefault = value: value;
  optional = condition: value: if condition then [ value ] else [ ];
  filterAttrs = keep: set: builtins.listToAttrs (builtins.concatMap
    (name: optional (keep name set.${name}) { inherit name; value = set.${name}; }) (builtins.attrNames set));
  findFirst = matches: otherwise: list:
    let found = builtins.filter matches list; in if found == [ ] then otherwise else builtins.head found;
  hasPrefix = prefix: text: builtins.substring 0 (builtins.stringLength prefix) text == prefix;

  isOption = value: (value._type or "") == "option";

  # A value as one definition: sets below options of types are values, not definitions.
  evalOptions = path: options: value: evalDefinitions path options [ value ];

  namesOf = value: builtins.attrNames (if (value._type or "") == "if" then value.content else value);
  # Without a look at the condition, which may depend on what is being made here.
  below = name: value:
    if (value._type or "") == "if" then
      optional (value.content ? ${name}) (mkIf value.condition value.content.${name})
    else optional (value ? ${name}) value.${name};
  settled = value:
    if !builtins.isAttrs value || (value._type or "") != "if" then [ value ]
    else if value.condition then settled value.content
    else [ ];
  together = definitions: builtins.foldl' merge (builtins.head definitions) (builtins.tail definitions);

  # Every option there is, and nothing besides.
  evalDefinitions = path: options: definitions:
    let unknown = builtins.filter (name: !(options ? ${name})) (builtins.concatMap namesOf definitions); in
    if unknown != [ ] then throw "${path}: there is no option ${builtins.head unknown}" else
    builtins.mapAttrs
      (name: option:
        let
          here = if path == "" then name else "${path}.${name}";
          given = builtins.concatMap (below name) definitions;
          said = builtins.concatMap settled given;
        in
        if !isOption option then evalDefinitions here option given
        else if said != [ ] then option.type.merge here (together said)
        else if option ? default then option.type.merge here option.default
        else throw "${here}: is needed and was not said")
      options;

  merge = left: right:
    if builtins.isAttrs left && builtins.isAttrs right then
      builtins.mapAttrs
        (name: value: if right ? ${name} && left ? ${name} then merge left.${name} right.${name} else value)
        (left // right)
    else if builtins.isList left && builtins.isList right then left ++ right
    else if left == right then left
    else throw "two modules define the same: ${builtins.toJSON left} and ${builtins.toJSON right}";

  # A module may be a path, a function or a set; what is imported twice counts once.
  evalModules = { modules, pkgs ? { }, freeform ? [ ] }:
    let
      lib = import ./module-system.nix;
      load = module:
        let
          loaded = if builtins.isPath module then import module else module;
          made = if builtins.isFunction loaded then loaded { inherit config lib pkgs; } else loaded;
        in
        { key = if builtins.isPath module then toString module else builtins.toJSON (builtins.attrNames made); inherit made; };
      all = builtins.genericClosure {
        startSet = map load modules;
        operator = { made, ... }: map load (made.imports or [ ]);
      };
      body = { made, ... }: made.config or (builtins.removeAttrs made [ "imports" "options" ]);
      options = builtins.foldl' merge { } (map ({ made, ... }: made.options or { }) all);
      # What NixOS itself has options for is taken as it is.
      any = mkOption { type = { name = "anything"; merge = _: value: value; }; default = { }; };
      outside = builtins.listToAttrs (map (name: { inherit name; value = any; }) freeform);
      config = evalDefinitions "" (options // outside) (map body all);
    in
    config;
}
