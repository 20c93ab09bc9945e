# The sections of systemd/ultracloud@.service as sets, so that NixOS runs what other systems run. Lines that go on
# in the next one are not understood, and not there.
let
  inherit (builtins) elemAt filter foldl' head isString length mapAttrs match readFile split zipAttrsWith;
  text = readFile (./systemd + "/ultracloud@.service");
  lines = filter (line: isString line && match "(#.*)?" line == null) (split "\n" text);

  take = { section, said }: line:
    let
      title = match "\\[([A-Za-z]+)]" line;
      setting = match "([A-Za-z]+)=(.*)" line;
    in
    if title != null then { inherit said; section = head title; }
    else if setting == null then throw "ultracloud@.service: expected [Section] or Key=value, got ${line}"
    else { inherit section; said = said ++ [{ ${section}.${head setting} = elemAt setting 1; }]; };

  # What is said more than once is a list, as in the options of NixOS.
  oneOrAll = _: values: if length values == 1 then head values else values;
in
zipAttrsWith (_: zipAttrsWith oneOrAll) (foldl' take { section = ""; said = [ ]; } lines).said
