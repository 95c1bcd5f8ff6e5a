/**
 * Every sentence of the public pages, in every language: the English ones are the type, so one that is missing in another
 * language does not compile. No double negatives, no praise, no pleading: both ways are told in the same tone.
 * @module
 */

export const LANGUAGES = ['en', 'es'] as const;
export type Language = (typeof LANGUAGES)[number];

/** What a person can choose on the form. `all` is each of the others. */
export const CHOICES = ['all', 'sale', 'share', 'targeted_ads', 'sensitive', 'profiling'] as const;
export type Choice = (typeof CHOICES)[number];

interface ChoiceText {
  readonly name: string;
  readonly detail: string;
}

const EN = {
  languageName: 'English',
  title: 'Your privacy choices',
  skip: 'Skip to the main part',
  lead: 'Tell us to stop selling or sharing your personal information. One step: no account, no proof of who you are, nothing to confirm.',

  gpcHonored: 'Opt-out request honored',
  gpcState: 'On',
  gpcExplained:
    'Your browser sends Global Privacy Control. We treat this browser as opted out of sale, sharing and targeted advertising each time it visits. There is nothing more you need to do.',
  gpcMore: 'To cover your e-mail address, your phone number or another device too, use the form. That is optional.',
  browserKnown: 'The ID by which this site knows this browser is included.',

  whoLegend: 'Who is this for?',
  whoHint: 'Fill in any one. You can add more; each one is covered.',
  whoHintGpc: 'Optional: your browser is covered already. Each one you add is covered too.',
  whoHintBrowser: 'Optional: leave these empty to opt out this browser only. Each one you add is covered too.',
  email: 'E-mail address',
  emailHint: 'As you gave it to a site or store.',
  phone: 'Phone number',
  phoneHint: 'From outside the US: start with + and the country code.',
  device: 'Device ID',
  deviceHint: 'The advertising ID in the privacy settings of a phone, tablet or TV.',
  trap: 'Leave this field empty',

  whatLegend: 'What should stop?',
  choices: {
    all: { name: 'All of it', detail: 'Everything in this list' },
    sale: { name: 'Sale', detail: 'Handing my information to others for money or something of value' },
    share: { name: 'Sharing', detail: 'Handing my information to others for ads across sites and apps' },
    targeted_ads: { name: 'Targeted ads', detail: 'Ads chosen by what I do on other sites and apps' },
    sensitive: { name: 'Sensitive information', detail: 'Using it for more than what I asked for' },
    profiling: { name: 'Profiling', detail: 'Automatic profiles behind decisions that matter to me' },
  } satisfies Readonly<Record<Choice, ChoiceText>>,
  submit: 'Opt out',
  submitNote: 'What you enter is used for this request and for nothing else.',

  errorPrefix: 'Error',
  errorTitle: 'Something needs another look',
  errorEmail: 'Enter an e-mail address, such as name@example.com',
  errorPhone: 'Enter a phone number, such as (916) 555-0100 or +52 55 1234 5678',
  errorDevice: 'Enter a device ID: 8 to 32 letters and digits, with or without hyphens',
  errorNobody: 'Enter an e-mail address, a phone number or a device ID',
  errorChoice: 'Choose at least one',
  expiredTitle: 'Please send the form once more',
  expiredText: 'This page was open for a long time. Nothing is lost: what you entered is still here.',

  unavailableTitle: 'Your request was not recorded',
  unavailableText:
    'Our records cannot be reached at the moment. What you entered is still here: send it again in a minute. Sending it twice does no harm.',
  noStatusTitle: 'The status is not available now',
  noStatusText:
    'Our records cannot be reached at the moment. What was recorded before stays recorded. Try again in a minute.',
  otherWays: 'You can also reach us here:',
  otherWaysSignal: 'You can also turn on Global Privacy Control in your browser. We honor it on every visit.',

  receiptTitle: 'Your opt-out is recorded',
  deniedTitle: 'Your request was denied',
  deniedText:
    'We believe in good faith that it was not made by the person it is about. Nothing of it is in force. Ask us why, and send it again if it is yours.',
  optInReceiptTitle: 'You are opted in again',
  pendingTitle: 'Your opt-in waits to be confirmed',
  receiptNumber: 'Receipt number',
  receiptKeep: 'Keep this number: with it you can look at this page again. It holds nothing about you.',
  copy: 'Copy',
  copied: 'Copied',
  covers: 'What it covers',
  progress: 'How far it is',
  stepReceived: 'Received',
  stepInForce: (on: number, of: number) => `In force on ${on} of ${of} ${of === 1 ? 'system' : 'systems'}`,
  stepWaiting: 'Waiting for our systems to report',
  stepEverywhere: 'In force everywhere',
  stepDenied: 'Denied',
  stepNotYet: 'Not yet',
  stepDone: 'Done',
  checkAgain: 'Check again',
  noAsk: (day: string) => `We will not ask you to opt in again before ${day}.`,
  remaining:
    'Some of it stays opted out, because of another request about the same e-mail address, phone number or device.',
  statusTitle: 'Status of a request',
  statusLead: 'Enter the number from your receipt. It begins with r_.',
  statusSubmit: 'Show status',
  errorReceipt: 'Enter the whole number: r_ and 22 letters, digits, - or _',
  unknownReceipt: 'There is no request with this number',

  honoredTitle: 'Opt-out request honored',
  honoredText:
    'Your browser sends Global Privacy Control, and that is enough: this browser is opted out of sale, sharing and targeted advertising each time it visits. Nothing about you was stored, so there is no receipt number.',

  optInTitle: 'Opt in again',
  optInLead: 'This ends an opt-out you made before. It takes two steps: this one, and a confirmation on the next page.',
  optInHint: 'Fill in what you opted out with.',
  optInHintBrowser: 'Leave it all empty for this browser alone.',
  optInGpc: 'Your browser sends Global Privacy Control. As long as it does, this browser stays opted out.',
  optInSubmit: 'Continue',
  optInOff: 'To opt in again, please contact us.',
  optInUnknownBrowser:
    'This site has no ID for this browser, so there is nothing here to opt in again. Please contact us.',
  optInBrowserOnly: 'This is for this browser alone.',
  confirmTitle: 'Confirm that you opt in again',
  confirmText: 'From then on all of this is allowed again with your personal information:',
  confirmYes: 'Opt in',
  confirmNo: 'Stay opted out',
  confirmExpired: 'This opt-in can no longer be confirmed. Nothing has changed: you are still opted out.',

  tooOftenTitle: 'Please wait a moment',
  tooOftenText: 'Many requests came from your network address. Yours was not recorded. Try again in a minute.',
  foreignTitle: 'Please use the form on our page',
  foreignText: 'This form was sent from another site. Nothing was recorded.',
  notFoundTitle: 'There is no page here',
  notFoundText: 'The address may be mistyped.',
  brokenTitle: 'The form did not arrive in one piece',
  brokenText: 'Nothing was recorded. Please send it again.',
  failedTitle: 'Something went wrong on our side',
  failedText: 'Your request was not recorded. Please try again.',
  toForm: 'Go to your privacy choices',

  footerLabel: 'More about your choices',
  policy: 'Privacy policy',
  openFull: 'Open this page by itself',
};

export type Strings = typeof EN;

const ES: Strings = {
  languageName: 'Español',
  title: 'Sus opciones de privacidad',
  skip: 'Ir a la parte principal',
  lead: 'Díganos que dejemos de vender o compartir su información personal. Un solo paso: sin cuenta, sin prueba de quién es usted, sin nada que confirmar.',

  gpcHonored: 'Solicitud de exclusión respetada',
  gpcState: 'Activado',
  gpcExplained:
    'Su navegador envía el Control Global de Privacidad (GPC). En cada visita tratamos este navegador como excluido de la venta, el intercambio y la publicidad dirigida. No tiene que hacer nada más.',
  gpcMore:
    'Para incluir también su correo electrónico, su teléfono u otro dispositivo, use el formulario. Es opcional.',
  browserKnown: 'El identificador con el que este sitio conoce este navegador está incluido.',

  whoLegend: '¿Para quién es?',
  whoHint: 'Complete uno de estos campos. Puede añadir más; cada uno queda incluido.',
  whoHintGpc: 'Opcional: su navegador ya está incluido. Cada dato que añada también lo estará.',
  whoHintBrowser:
    'Opcional: déjelos vacíos para excluir solo este navegador. Cada dato que añada también quedará incluido.',
  email: 'Correo electrónico',
  emailHint: 'Tal como lo dio a un sitio o una tienda.',
  phone: 'Número de teléfono',
  phoneHint: 'Desde fuera de EE. UU.: empiece con + y el código del país.',
  device: 'ID del dispositivo',
  deviceHint: 'El ID de publicidad en los ajustes de privacidad de un teléfono, tableta o televisor.',
  trap: 'Deje este campo vacío',

  whatLegend: '¿Qué debe terminar?',
  choices: {
    all: { name: 'Todo', detail: 'Todo lo que hay en esta lista' },
    sale: { name: 'Venta', detail: 'Entregar mi información a otros por dinero o algo de valor' },
    share: {
      name: 'Intercambio',
      detail: 'Entregar mi información a otros para anuncios en distintos sitios y aplicaciones',
    },
    targeted_ads: {
      name: 'Anuncios dirigidos',
      detail: 'Anuncios elegidos según lo que hago en otros sitios y aplicaciones',
    },
    sensitive: { name: 'Información sensible', detail: 'Usarla para más de lo que pedí' },
    profiling: { name: 'Perfiles', detail: 'Perfiles automáticos en decisiones que me importan' },
  },
  submit: 'Excluirme',
  submitNote: 'Lo que escriba se usa para esta solicitud y para nada más.',

  errorPrefix: 'Error',
  errorTitle: 'Algo necesita otra revisión',
  errorEmail: 'Escriba un correo electrónico, como nombre@example.com',
  errorPhone: 'Escriba un número de teléfono, como (916) 555-0100 o +52 55 1234 5678',
  errorDevice: 'Escriba un ID de dispositivo: de 8 a 32 letras y dígitos, con o sin guiones',
  errorNobody: 'Escriba un correo electrónico, un número de teléfono o un ID de dispositivo',
  errorChoice: 'Elija al menos una opción',
  expiredTitle: 'Envíe el formulario una vez más',
  expiredText: 'Esta página estuvo abierta mucho tiempo. No se ha perdido nada: lo que escribió sigue aquí.',

  unavailableTitle: 'Su solicitud no se registró',
  unavailableText:
    'En este momento no podemos llegar a nuestros registros. Lo que escribió sigue aquí: envíelo de nuevo en un minuto. Enviarlo dos veces no causa ningún problema.',
  noStatusTitle: 'El estado no está disponible ahora',
  noStatusText:
    'En este momento no podemos llegar a nuestros registros. Lo que ya se registró sigue registrado. Inténtelo de nuevo en un minuto.',
  otherWays: 'También puede comunicarse con nosotros aquí:',
  otherWaysSignal:
    'También puede activar el Control Global de Privacidad (GPC) en su navegador. Lo respetamos en cada visita.',

  receiptTitle: 'Su exclusión está registrada',
  deniedTitle: 'Su solicitud fue denegada',
  deniedText:
    'Creemos de buena fe que no la hizo la persona a la que se refiere. Nada de ella está en vigor. Pregúntenos por qué y vuelva a enviarla si es suya.',
  optInReceiptTitle: 'Está incluido de nuevo',
  pendingTitle: 'Su inclusión espera confirmación',
  receiptNumber: 'Número de recibo',
  receiptKeep: 'Guarde este número: con él puede volver a ver esta página. No contiene nada sobre usted.',
  copy: 'Copiar',
  copied: 'Copiado',
  covers: 'Lo que abarca',
  progress: 'Hasta dónde ha llegado',
  stepReceived: 'Recibida',
  stepInForce: (on: number, of: number) => `En vigor en ${on} de ${of} ${of === 1 ? 'sistema' : 'sistemas'}`,
  stepWaiting: 'A la espera de que respondan nuestros sistemas',
  stepEverywhere: 'En vigor en todas partes',
  stepDenied: 'Denegada',
  stepNotYet: 'Todavía no',
  stepDone: 'Hecho',
  checkAgain: 'Comprobar de nuevo',
  noAsk: (day: string) => `No le pediremos que vuelva a aceptar antes del ${day}.`,
  remaining:
    'Una parte sigue excluida por otra solicitud sobre el mismo correo electrónico, número de teléfono o dispositivo.',
  statusTitle: 'Estado de una solicitud',
  statusLead: 'Escriba el número de su recibo. Empieza con r_.',
  statusSubmit: 'Ver estado',
  errorReceipt: 'Escriba el número completo: r_ y 22 letras, dígitos, - o _',
  unknownReceipt: 'No hay ninguna solicitud con este número',

  honoredTitle: 'Solicitud de exclusión respetada',
  honoredText:
    'Su navegador envía el Control Global de Privacidad (GPC), y con eso basta: en cada visita este navegador queda excluido de la venta, el intercambio y la publicidad dirigida. No se guardó nada sobre usted, así que no hay número de recibo.',

  optInTitle: 'Volver a aceptar',
  optInLead:
    'Esto termina una exclusión que hizo antes. Son dos pasos: este, y una confirmación en la página siguiente.',
  optInHint: 'Complete los datos con los que se excluyó.',
  optInHintBrowser: 'Déjelo todo vacío para incluir solo este navegador.',
  optInGpc:
    'Su navegador envía el Control Global de Privacidad (GPC). Mientras lo haga, este navegador sigue excluido.',
  optInSubmit: 'Continuar',
  optInOff: 'Para volver a aceptar, comuníquese con nosotros.',
  optInUnknownBrowser:
    'Este sitio no tiene un identificador para este navegador, así que aquí no hay nada que aceptar. Comuníquese con nosotros.',
  optInBrowserOnly: 'Esto es solo para este navegador.',
  confirmTitle: 'Confirme que vuelve a aceptar',
  confirmText: 'Desde ese momento todo esto se permite de nuevo con su información personal:',
  confirmYes: 'Aceptar',
  confirmNo: 'Seguir excluido',
  confirmExpired: 'Esto ya no se puede confirmar. Nada ha cambiado: usted sigue excluido.',

  tooOftenTitle: 'Espere un momento',
  tooOftenText:
    'Llegaron muchas solicitudes desde su dirección de red. La suya no se registró. Inténtelo de nuevo en un minuto.',
  foreignTitle: 'Use el formulario de nuestra página',
  foreignText: 'Este formulario se envió desde otro sitio. No se registró nada.',
  notFoundTitle: 'Aquí no hay ninguna página',
  notFoundText: 'Es posible que la dirección esté mal escrita.',
  brokenTitle: 'El formulario no llegó completo',
  brokenText: 'No se registró nada. Envíelo de nuevo.',
  failedTitle: 'Algo falló de nuestro lado',
  failedText: 'Su solicitud no se registró. Inténtelo de nuevo.',
  toForm: 'Ir a sus opciones de privacidad',

  footerLabel: 'Más sobre sus opciones',
  policy: 'Política de privacidad',
  openFull: 'Abrir esta página por separado',
};

export const STRINGS: Readonly<Record<Language, Strings>> = { en: EN, es: ES };
