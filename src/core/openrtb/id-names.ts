/**
 * Names under which identifiers travel outside the places OpenRTB has for them: members of extensions and bidder
 * parameters, and parameters of URLs. All in lower case; readers fold before they ask.
 *
 * Adding a name is a word in a list here, and a case in the tests of the list.
 * @module
 */
import { isIdentifierShaped } from './id-shape.js';

/** `always`: an id whatever the value. `shaped`: some bidders use the name for other things, so the value decides. */
export type NameClass = 'always' | 'eids' | 'shaped';

const ALWAYS = `
  ifa idfa idfv ifv gaid aaid adid oaid imei imei_md5 imei_sha1 maid android_id androidid advertising_id advertisingid
  advertiser_id ifa_sha1 ifa_md5 idfa_sha1 idfa_md5 gaid_sha1 gaid_md5 didsha1 didmd5 dpidsha1 dpidmd5 macsha1 macmd5
  mac_address macaddress
  email emails e_mail email_address emailaddress email_hash emailhash hashed_email hashedemail hashed_emails
  email_md5 email_sha1 email_sha256 emailmd5 emailsha1 emailsha256 email_hashed emailhashed hem hems
  phone phones phone_number phonenumber phone_hash phonehash hashed_phone hashedphone phone_sha256 msisdn mobile_number
  buyeruid buyer_uid buyeruids user_id user_ids user_uid tdid pubcid _pubcid idl_env lipbid uid2 uid2_token
`;
const EIDS = 'eids user_eids usereids useridaseids user_id_as_eids';
const SHAPED = `
  uid uids userid userids uuid guid puid ppid fpid fpc tpid visitor_id visitorid client_id clientid customer_id customerid
  member_id memberid subscriber_id subscriberid session_id sessionid device_id deviceid did cookie cookie_id cookieid
  external_id externalid person_id personid profile_id profileid login username hash
`;
/** Besides all of `ALWAYS`. */
const PARAMETERS = `
  e-mail mail em md5_email sha1_email sha256_email tel
  uid uuid uuid2 guid user userid user-id username user_name login customer_id customerid
  member_id memberid subscriber_id subscriberid contact_id contactid profile_id person_id visitor_id
  visitorid external_id externalid puid ppid adnxs_uid
  session session_id sessionid jsessionid phpsessid token access_token id_token auth_token
  rdid device_id deviceid
  gclid gclsrc dclid wbraid gbraid srsltid _ga _gl fbclid fbc fbp _fbc _fbp msclkid ttclid twclid li_fat_id igshid igsh
  yclid ysclid epik sccid scclid rdt_cid qclid obclid tblci dicbo irclickid clickid click_id cjevent awc mc_eid mkt_tok
  _hsenc _hsmi vero_id _kx __s oly_enc_id oly_anon_id wickedid ml_subscriber ml_subscriber_hash rb_clickid
  _branch_match_id
  ip ip_address ipaddress
`;

/** Every name in lower case. */
export const CLASS_OF_NAME: ReadonlyMap<string, NameClass> = new Map<string, NameClass>([
  ...words(SHAPED).map((name) => [name, 'shaped'] as const),
  ...words(EIDS).map((name) => [name, 'eids'] as const),
  ...words(ALWAYS).map((name) => [name, 'always'] as const),
]);
/** Names that are ids whatever the value, as members and as parameters alike. */
export const ID_NAMES: readonly string[] = words(ALWAYS);
const PARAMETER_NAMES = new Set([...ID_NAMES, ...words(PARAMETERS)]);
/** Ends of names under which vendors keep ids inside what is removed: `digitrust.id`, `tpid`, `sessionId`. */
const ID_NAME = /ids?$/i;

/** HOT. The group of a member that is an identifier by its name and, if need be, its value; `null` where it is none. */
export function groupOfNamed(name: string, value: unknown): 'ids' | 'eids' | null {
  if (name === '') return null;
  const nameClass = CLASS_OF_NAME.get(name.toLowerCase());
  switch (nameClass) {
    case undefined:
      return null;
    case 'always':
      return 'ids';
    case 'eids':
      return 'eids';
    case 'shaped':
      return isIdentifierValue(value) ? 'ids' : null;
    default:
      return nameClass satisfies never;
  }
}

/** An object under an ambiguous name is a bag of ids (`userId` of Prebid.js); a text only if it looks like an id. */
function isIdentifierValue(value: unknown): boolean {
  if (Array.isArray(value)) return value.some((element) => isBag(element) || isShaped(element));
  return isBag(value) || isShaped(value);
}

function isBag(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}

function isShaped(value: unknown): boolean {
  return typeof value === 'string' && isIdentifierShaped(value);
}

/** Whether a URL parameter of this name carries an id. */
export function isIdParameter(name: string): boolean {
  return PARAMETER_NAMES.has(name.toLowerCase());
}

/** Whether a value under this name, in a part that is being removed, is an id. */
export function isIdName(name: string): boolean {
  return ID_NAME.test(name) || CLASS_OF_NAME.has(name.toLowerCase());
}

function words(text: string): readonly string[] {
  return text.trim().split(/\s+/);
}
