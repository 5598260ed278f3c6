import t from 'tap';
import { readDts } from '../firmware/dts.js';
import { BoardSource } from './board-error.js';
import { InterruptWiring, mapPin, readInterruptMap, readInterrupts } from './interrupts.js';

/** A board with two controllers and one device, which has these properties. */
function device(properties: string) {
  const source = readDts(
    `/dts-v1/; / {
      interrupt-parent = <&gic>;
      gic: gic { interrupt-controller; #interrupt-cells = <3>; #address-cells = <2>; };
      combiner: combiner { interrupt-controller; #interrupt-cells = <1>; inner { interrupts = <7>; }; };
      bus { dev { ${properties} }; };
      none: none { };
      pcie { #address-cells = <3>; #interrupt-cells = <1>; ${properties} };
    };`,
    'x.dts',
  );
  const { tree } = source;
  const node = (path: string) => tree.byPath(path) ?? tree.root;
  return { board: new BoardSource(source), node, dev: node('/bus/dev'), pcie: node('/pcie') };
}

const read = (properties: string, path = '/bus/dev') => {
  const { board, node } = device(properties);
  return readInterrupts(board, node(path)).map((i) => `${i.controller.name} ${i.cells.join(' ')}`);
};

t.test('interrupts go to the nearest interrupt parent', async (t) => {
  t.same(read('interrupts = <0 5 4>, <0 6 1>;'), ['gic 0 5 4', 'gic 0 6 1'], 'of the root');
  t.same(read('interrupt-parent = <&combiner>; interrupts = <5 6>;'), ['combiner 5', 'combiner 6'], 'of its own');
  t.same(read('', '/combiner/inner'), ['combiner 7'], 'the node above is a controller');
  t.same(read(''), []);
});

t.test('interrupts-extended names a controller for each, and goes before interrupts', async (t) => {
  t.same(read('interrupts-extended = <&combiner 3>, <&gic 0 9 4>; interrupts = <0 5 4>;'), ['combiner 3', 'gic 0 9 4']);
});

t.test('interrupts that cannot be say where', async (t) => {
  t.throws(() => read('interrupts = <0 5>;'), /x\.dts:5:19: \/bus\/dev: interrupts: 2 cells are no multiple of 3/);
  t.throws(
    () => read('interrupts-extended = <99 5>;'),
    /x\.dts:5:19: .*interrupts-extended: no node has the phandle 99/,
  );
  t.throws(() => read('interrupts-extended = <&gic 0 5>;'), /interrupts-extended: the last entry is cut short/);
  t.throws(() => read('interrupt-parent = <99>; interrupts = <1>;'), /interrupt-parent: no node has the phandle 99/);
  t.throws(() => read('interrupt-parent = <&none>; interrupts = <1>;'), /\/none has no usable #interrupt-cells/);
});

/** INTA to INTD of devices 0 to 3, rotated as a host bridge has it; `&gic` has two address cells. */
const MAP = `
  interrupt-map-mask = <0x1800 0 0 7>;
  interrupt-map = <0x0000 0 0 1 &gic 0 0 0 3 4>, <0x0000 0 0 2 &gic 0 0 0 4 4>,
                  <0x0800 0 0 1 &gic 0 0 0 4 4>, <0x1000 0 0 1 &combiner 9>;`;

t.test('interrupt-map gives each device and pin of the root bus its interrupt', async (t) => {
  const { board, pcie } = device(MAP);
  const map = readInterruptMap(board, pcie);
  const pin = (bus: number, dev: number, number: number) => {
    const found = mapPin(map, bus, dev, number);
    return found && `${found.controller.name} ${found.cells.join(' ')}`;
  };
  t.equal(pin(0, 0, 1), 'gic 0 3 4');
  t.equal(pin(0, 0, 2), 'gic 0 4 4');
  t.equal(pin(0, 1, 1), 'gic 0 4 4');
  t.equal(pin(0, 0x1c, 2), 'gic 0 4 4', 'the mask keeps the two low bits of the device number');
  t.equal(pin(7, 0, 1), 'gic 0 3 4', 'and no bit of the bus number');
  t.equal(pin(0, 2, 1), 'combiner 9', 'a controller without address cells');
  t.equal(pin(0, 3, 1), undefined);
  const none = device('');
  t.equal(mapPin(readInterruptMap(none.board, none.pcie), 0, 0, 1), undefined);
});

t.test('a map that cannot be says where', async (t) => {
  const map = (properties: string) => () => {
    const { board, pcie } = device(properties);
    return readInterruptMap(board, pcie);
  };
  t.throws(
    map('interrupt-map = <0 0 0 1 99 0 3 4>;'),
    /x\.dts:7:\d+: \/pcie: interrupt-map: no node has the phandle 99/,
  );
  t.throws(map('interrupt-map = <0 0 0 1 &gic 0 0 0 3>;'), /interrupt-map: the last entry is cut short/);
  t.throws(map('interrupt-map = <0 0 0 1>;'), /no node has the phandle 0/);
  t.throws(map('interrupt-map = <0 0 0 1 &none 3>;'), /\/none has no usable #interrupt-cells/);
  t.throws(
    map(`interrupt-map-mask = <7>; interrupt-map = <0 0 0 1 &combiner 9>;`),
    /interrupt-map-mask: 1 cells, not 4/,
  );
  const { board, dev } = device('interrupt-map = <0 0 0 1 &combiner 9>;');
  t.throws(() => readInterruptMap(board, dev), /needs #address-cells = <3> and #interrupt-cells = <1>/);
});

t.test('an input that several drive is high while any of them is', async (t) => {
  const { board, dev, node } = device('');
  const wiring = new InterruptWiring();
  const changes: string[] = [];
  wiring.controllers.set(node('/gic'), {
    line: ([type, number]) =>
      type === 0 ? { set: (level) => changes.push(`${number} ${level ? 'high' : 'low'}`) } : undefined,
  });
  const spi = (number: number, flags: number) => ({
    controller: node('/gic'),
    cells: [0, number, flags],
    property: 'interrupts',
  });
  const [one, other, alone] = [spi(5, 4), spi(5, 4), spi(6, 1)].map((i) => wiring.driver(board, dev, i));
  one?.set(true);
  other?.set(true);
  other?.set(true);
  one?.set(false);
  t.same(changes, ['5 high']);
  other?.set(false);
  other?.set(false);
  alone?.set(true);
  t.same(changes, ['5 high', '5 low', '6 high']);
  t.throws(
    () => wiring.driver(board, dev, spi(5, 1)),
    /x\.dts:5:13: \/bus\/dev: interrupts: <0 5 1> is shared with another device that says <0 5 4>/,
  );
  t.throws(
    () => wiring.driver(board, dev, { ...spi(5, 4), cells: [1, 5, 4] }),
    /interrupts: <1 5 4> is no input of \/gic/,
  );
  t.throws(
    () => wiring.driver(board, dev, { ...spi(5, 4), controller: node('/combiner') }),
    /\/combiner is no interrupt controller that the board has/,
  );
});
