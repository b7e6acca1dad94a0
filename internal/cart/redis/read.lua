-- Reads a cart, which so lives on.
local refused = refusal('')
if refused then
  return {refused}
end
return answer()
