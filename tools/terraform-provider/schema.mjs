// node schema.mjs PACKAGE FILE TYPE...: writes the schema of these types, resource_<type> or data_<type>, in the form of
// `terraform providers schema -json`, as far as it can be read out of the typings that CDKTF generated from the provider's own.
// update.sh calls it.
import fs from 'node:fs'
import path from 'node:path'

const [library, file, ...wanted] = process.argv.slice(2)
const camel = name => name.replace(/_([a-z0-9])/g, (_, letter) => letter.toUpperCase())
const capital = name => name[0].toUpperCase() + name.slice(1)

// Types as a resource's own arguments name them, and as the getters of computed attributes do.
const arguments_ = { string: 'string', boolean: 'bool', number: 'number', stringList: ['list', 'string'], numberList: ['list', 'number'], stringMap: ['map', 'string'] }
const getters = { String: 'string', Boolean: 'bool', Number: 'number', List: ['list', 'string'], NumberList: ['list', 'number'], StringMap: ['map', 'string'] }

function read(folder) {
  let code = fs.readFileSync(path.join(folder, 'index.js'), 'utf8')
  let types = fs.readFileSync(path.join(folder, 'index.d.ts'), 'utf8')
  const structs = path.join(folder, 'index-structs') // of the large ones
  if (fs.existsSync(structs)) {
    for (const name of fs.readdirSync(structs)) {
      const text = '\n' + fs.readFileSync(path.join(structs, name), 'utf8')
      if (name.endsWith('.d.ts')) types += text
      else if (name.endsWith('.js')) code += text
    }
  }
  code = code.replace(/\(0, index_structs_?\d*\.(\w+)\)/g, '$1').replace(/\b(index_)?structs_?\d*_?\d*\./g, '')
  return { code, types }
}

function schemaOf({ code, types }) {
  const interfaces = {} // name: { property: required }
  for (const [, name, body] of types.matchAll(/export interface (\w+)[^{]*\{([\s\S]*?)\n\}/g)) {
    interfaces[name] = Object.fromEntries([...body.matchAll(/readonly (\w+)(\?)?:/g)].map(p => [p[1], !p[2]]))
  }
  const entries = body => [...body.matchAll(/^ {8,12}(\w+): \{\n\s+value: (.*),\n\s+isBlock: (true|false),\n\s+type: "(\w+)",\n\s+storageClassType: "(\w+)",/gm)]
    .map(([, name, value, isBlock, type, storage]) => ({ name, value, isBlock: isBlock === 'true', type, storage }))
  const writers = {}
  for (const [, name, body] of code.matchAll(/^function (\w+)ToHclTerraform\(struct\) \{([\s\S]*?)^\}/gm)) writers[name] = entries(body)
  const classes = {}
  for (const [, name, base, body] of code.matchAll(/^class (\w+) extends cdktf\.(\w+) \{([\s\S]*?)^\}/gm)) classes[name] = { base, body }
  const single = new Set([...code.matchAll(/new (\w+)OutputReference\(this, "(\w+)"\)/g)].map(m => m[1]))

  const computed = of => {
    const found = {}
    // The third line may be the next attribute's comment already.
    for (const [, name, second, third] of (of?.body ?? '').matchAll(/\/\/ (\w+) - computed: true, optional: false, required: false\n([^\n]*)\n(?=([^\n]*))/g)) {
      const getter = third.match(/this\.get(\w+?)Attribute\(/)
      const list = second.match(/new (cdktf\.)?(\w+)\(this, "(\w+)"(?:, (true|false))?/)
      let type = 'string'
      if (getter) type = getters[getter[1]] ?? 'string'
      else if (list?.[1]) type = list[2] === 'StringMapList' ? ['list', ['map', 'string']] : ['map', { BooleanMap: 'bool', NumberMap: 'number' }[list[2]] ?? 'string']
      else if (list) {
        const inner = computed(classes[list[2].replace(/(List|OutputReference|Map)$/, '') + 'OutputReference'])
        type = [list[4] === 'true' ? 'set' : 'list', ['object', Object.fromEntries(Object.entries(inner).map(([k, v]) => [k, v.type]))]]
      }
      found[name] = { type, computed: true }
    }
    return found
  }
  const block = (members, required, of) => {
    const made = { attributes: {}, block_types: {} }
    for (const { name, value, isBlock, type, storage } of members) {
      const must = !!required?.[camel(name)]
      if (!isBlock) {
        let t = arguments_[storage] ?? 'string'
        if (type === 'set' && Array.isArray(t)) t = ['set', t[1]]
        made.attributes[name] = { type: t, ...(must ? { required: true } : { optional: true }), ...(name.endsWith('_wo') ? { write_only: true } : {}) }
        continue
      }
      const writer = value.match(/(\w+)ToHclTerraform/)[1]
      const inner = capital(writer)
      const many = type !== 'struct'
      made.block_types[name] = {
        nesting_mode: many ? (type === 'set' ? 'set' : 'list') : 'single',
        block: block(writers[writer] ?? [], interfaces[inner], classes[inner + 'OutputReference']),
        ...(many && single.has(inner) ? { max_items: 1 } : {}),
        ...(many && must ? { min_items: 1 } : {}),
      }
    }
    for (const [name, a] of Object.entries(computed(of))) {
      if (!made.attributes[name] && !made.block_types[name]) made.attributes[name] = a
    }
    return made
  }

  const [name, of] = Object.entries(classes).find(([, c]) => /^Terraform(Resource|DataSource|Provider)$/.test(c.base))
  const written = of.body.match(/synthesizeHclAttributes\(\) \{([\s\S]*?)\n {4}\}/)
  const made = block(entries(written?.[1] ?? ''), interfaces[name + 'Config'], of)
  if (of.base !== 'TerraformProvider') made.attributes.id = { type: 'string', ...(made.attributes.id ? { optional: true } : {}), computed: true }
  // What may be left out, and is then the provider's to say: the typings don't tell which arguments these are.
  for (const name of ['project', 'region', 'zone', 'location', 'self_link', 'address']) {
    if (made.attributes[name]?.optional) made.attributes[name].computed = true
  }
  return { version: 0, block: made }
}

const found = { provider: null, resource_schemas: {}, data_source_schemas: {} }
let version
for (const folder of fs.readdirSync(library).sort()) {
  if (!fs.existsSync(path.join(library, folder, 'index.js'))) continue
  const source = read(path.join(library, folder))
  const type = source.code.match(/\.tfResourceType = "([\w-]+)"/)?.[1]
  version ??= source.code.match(/providerVersion: '([\d.]+)'/)?.[1]
  if (folder === 'provider') found.provider = schemaOf(source)
  else if (folder.startsWith('data-') && wanted.includes(`data_${type}`)) found.data_source_schemas[type] = schemaOf(source)
  else if (!folder.startsWith('data-') && wanted.includes(`resource_${type}`)) found.resource_schemas[type] = schemaOf(source)
}
fs.writeFileSync(file, JSON.stringify({ format_version: '1.0', source_version: version, provider_schemas: { google: found } }) + '\n')
